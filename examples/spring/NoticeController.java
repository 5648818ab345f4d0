import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** A form posts here, and everybody who is online gets it. */
@RestController
public class NoticeController {
    private final PushServer push;

    @Autowired
    public NoticeController(PushServer push) {
        this.push = push;
    }

    @PostMapping("/notices")
    public void send(@RequestParam String message) {
        push.server().publish(Notices.CHANNEL, message);
    }

    @GetMapping("/notices/online")
    public long online() {
        return push.server().online("/push/notices");
    }
}
