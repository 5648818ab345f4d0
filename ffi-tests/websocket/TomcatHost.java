import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.websocket.server.ServerContainer;
import org.apache.catalina.Context;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.websocket.server.WsSci;
import org.apache.tomcat.websocket.server.WsServerContainer;

/**
 * Tomcat 9 inside a program of its own, with the endpoint classes that its arguments name. It prints its address, and ends
 * when its standard input does.
 */
public class TomcatHost {
    /** Kept, since a logger that nobody holds forgets its level. */
    private static final Logger ROOT = Logger.getLogger("");

    public static void main(String[] arguments) throws Exception {
        serve(arguments, "");
    }

    /** Serves classes of these names, and prints the address and one line more. */
    static void serve(String[] arguments, String more) throws Exception {
        ROOT.setLevel(Level.SEVERE);
        Path base = Files.createTempDirectory("wspush-tomcat");
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.toString());
        tomcat.setHostname("127.0.0.1");
        tomcat.setPort(0);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.getConnector().setProperty("maxConnections", "20000");
        Context context = tomcat.addContext("", base.toString());
        Tomcat.addServlet(context, "default", new DefaultServlet());
        context.addServletMappingDecoded("/", "default");
        Set<Class<?>> classes = new LinkedHashSet<>();
        for (String name : arguments) {
            classes.add(Class.forName(name));
        }
        context.addServletContainerInitializer(new WsSci(), classes);
        tomcat.start();
        WsServerContainer container =
                (WsServerContainer) context.getServletContext().getAttribute(ServerContainer.class.getName());
        // Idle sessions are looked for every second, not every ten.
        container.setProcessPeriod(1);
        System.out.println("ws://127.0.0.1:" + tomcat.getConnector().getLocalPort());
        System.out.println(more);
        while (System.in.read() >= 0) {
            // Until the caller has enough.
        }
        tomcat.stop();
        tomcat.destroy();
        delete(base.toFile());
    }

    private static void delete(File file) {
        File[] inside = file.listFiles();
        for (File one : inside == null ? new File[0] : inside) {
            delete(one);
        }
        file.delete();
    }
}
