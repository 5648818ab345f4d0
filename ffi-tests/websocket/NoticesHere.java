import com.sun.net.httpserver.HttpServer;
import io.wspush.websocket.WsPushContainer;

/** {@link Notices} with one line of main, and its form. */
public class NoticesHere {
    public static void main(String[] arguments) throws Exception {
        WsPushContainer container = WsPushContainer.serve("127.0.0.1:0", Notices.class);
        HttpServer form = Notices.form();
        System.out.println("ws://127.0.0.1:" + container.port());
        System.out.println("http://127.0.0.1:" + form.getAddress().getPort() + "/");
        while (System.in.read() >= 0) {
            // Until the caller has enough.
        }
        form.stop(0);
        container.close();
    }
}
