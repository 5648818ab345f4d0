import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushInterceptor;
import java.util.List;
import org.springframework.http.HttpStatus;
import org.springframework.web.util.UriComponents;
import org.springframework.web.util.UriComponentsBuilder;

/** A handshake's interceptor: who has no name in the query is refused, and the name becomes an attribute of the session. */
public class GuestInterceptor implements WsPushInterceptor {
    static final String NAME = "name";

    @Override
    public Decision beforeHandshake(ConnectRequest request) {
        UriComponents target = UriComponentsBuilder.fromUriString(request.target()).build();
        List<String> names = target.getQueryParams().get(NAME);
        if (names == null || names.get(0) == null) {
            return Decision.refuse(HttpStatus.UNAUTHORIZED.value(), "say who you are: ?name=");
        }
        request.attributes().put(NAME, names.get(0));
        return null;
    }
}
