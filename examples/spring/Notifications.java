import io.wspush.Decision;
import io.wspush.WsPushSession;
import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.context.annotation.Bean;
import org.springframework.stereotype.Component;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** Who is online gets what a form posts, and whoever writes gets an answer: endpoint, interceptor and controller. */
@Component
public class Notifications implements PushHandler {
    private final AtomicInteger online = new AtomicInteger();

    /** Clients of {@code /notifications/{topic}} have a name in a cookie, and receive their topic's channel. */
    @Bean
    public PushEndpoint notificationsEndpoint() {
        return new PushEndpoint("/notifications/{topic}", this).addInterceptor(request -> {
            String name = request.cookie("name");
            if (name == null) {
                return Decision.refuse(401, "log in first");
            }
            request.attributes().put("name", name);
            return request.byConfig().user(name).channels("topic." + request.pathParameter("topic"));
        });
    }

    @Override
    public void afterConnectionEstablished(WsPushSession session) {
        session.reply("welcome, " + session.attribute("name") + ": " + online.incrementAndGet() + " online");
    }

    @Override
    public void handleMessage(WsPushSession session, PushMessage message) {
        session.reply("you said " + message.text());
    }

    @Override
    public void afterConnectionClosed(WsPushSession session, int code, String reason) {
        online.decrementAndGet();
    }

    public int online() {
        return online.get();
    }

    /** What the rest of the application calls. */
    @RestController
    public static class Controller {
        private final PushServer push;

        public Controller(PushServer push) {
            this.push = push;
        }

        @PostMapping("/notify")
        public void notifyTopic(@RequestParam String topic, @RequestParam String message) {
            push.server().publish("topic." + topic, message);
        }
    }
}
