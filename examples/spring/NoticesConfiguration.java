import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.stereotype.Component;

/** The beans: a server with its handlers, and the controller. */
@Component
@Import(NoticeController.class)
public class NoticesConfiguration {
    @Bean
    public PushServer pushServer(@Value("${push.listen:127.0.0.1:8081}") String listen) {
        return new PushServer().listen(listen).map("/push/notices", new Notices(), new GuestInterceptor());
    }
}
