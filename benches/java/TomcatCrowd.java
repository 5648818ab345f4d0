import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.catalina.Context;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.websocket.server.WsSci;

/** The crowd in Tomcat 9, as it comes. Prints the addresses to connect to and to push to. */
public class TomcatCrowd {
    private static final Logger ROOT = Logger.getLogger("");

    public static void main(String[] arguments) throws Exception {
        ROOT.setLevel(Level.SEVERE);
        Path base = Files.createTempDirectory("wspush-crowd");
        base.toFile().deleteOnExit();
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.toString());
        tomcat.setHostname("127.0.0.1");
        tomcat.setPort(0);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.getConnector().setProperty("maxConnections", "20000");
        Context context = tomcat.addContext("", base.toString());
        Tomcat.addServlet(context, "default", new DefaultServlet());
        context.addServletMappingDecoded("/", "default");
        context.addServletContainerInitializer(new WsSci(), Set.of(Crowd.class));
        tomcat.start();
        System.out.println(
                "ws://127.0.0.1:" + tomcat.getConnector().getLocalPort() + "/crowd http://127.0.0.1:" + Crowd.listen(Crowd::loop)
                        + "/push");
        tomcat.getServer().await();
    }
}
