import io.wspush.websocket.WsPush;
import io.wspush.websocket.WsPushContainer;

/** The crowd here. Argument: {@code loop}, as in Tomcat, or {@code broadcast}, the line that may be changed. */
public class PushCrowd {
    public static void main(String[] arguments) throws Exception {
        WsPushContainer container = WsPushContainer.builder()
                .listen("127.0.0.1:0")
                .set("log_level", "warn")
                .set("max_connections", "20000")
                .endpoints(Crowd.class)
                .start();
        int push = Crowd.listen(arguments[0].equals("loop") ? Crowd::loop : WsPush::broadcast);
        System.out.println("ws://127.0.0.1:" + container.port() + "/crowd http://127.0.0.1:" + push + "/push");
        Thread.currentThread().join();
    }
}
