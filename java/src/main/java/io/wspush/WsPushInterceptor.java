package io.wspush;

/**
 * What looks at handshakes of a route before its listener does; see {@link WsPushRoute#interceptor}. It runs on the
 * reactor's thread and must not block; on several of them with {@link WsPushServerBuilder#reactors}.
 */
public interface WsPushInterceptor {
    /**
     * Decides, or leaves it to the next one. It may put {@link ConnectRequest#attributes}.
     *
     * @param request the client's request
     * @return null: the next interceptor is asked, and at last {@link WsPushListener#onConnect}
     * @throws Exception anything: the client gets status 500
     */
    Decision beforeHandshake(ConnectRequest request) throws Exception;

    /**
     * Hears what was decided, by whomever, and may change it. Those that were asked last hear it first.
     *
     * @param request the client's request
     * @param decision the decision
     * @return the same one, or another, with a header more for instance
     * @throws Exception anything: the client gets status 500
     */
    default Decision afterHandshake(ConnectRequest request, Decision decision) throws Exception {
        return decision;
    }
}
