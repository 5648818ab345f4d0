package io.wspush;

/**
 * What a server asks and tells its host about the clients on {@code /ws}, or on a route ({@link
 * WsPushServerBuilder#endpoint}).
 *
 * <p>All of it is called on the reactor's thread, unless the route has other threads for it ({@link
 * WsPushRoute#executor}, {@link WsPushRoute#blocking}): while a callback runs nothing else does, so it must not block, and
 * what takes long belongs to another thread. It may use every method of the server but {@link WsPushServer#close()}.
 *
 * <p>A server of several {@link WsPushServerBuilder#reactors} calls it on each of their threads, at the same time for different
 * sessions: what these share has to be guarded. All callbacks of one session come one after the other, from one thread.
 *
 * <p>An exception that leaves a callback is logged (to the {@link System.Logger} named {@code io.wspush}) and ends that
 * connection with close code 1011, or the request with status 500; nobody else notices. A session that was ended so, or
 * with {@link WsPushSession#close}, no callback but {@link #onClose} sees again.
 */
public interface WsPushListener {
    /**
     * Decides on a client that asks for {@code /ws}, or for the listener's route. By default as the settings say: it is
     * accepted, and gets the
     * channels that it asks for as far as the setting {@code channels} opens them to clients.
     *
     * @param request the client's request
     * @return whether it may come in; not null
     * @throws Exception anything: the client gets status 500
     */
    default Decision onConnect(ConnectRequest request) throws Exception {
        return request.byConfig();
    }

    /**
     * Decides whether a client of an app (the setting {@code pusher_app}) may have a private or presence channel, or is the
     * user that it signs in as. By default the signature decides. Asked of the server's listener, not of a route's, and on
     * the reactor's thread: what takes long answers {@link Authorized#pending()}.
     *
     * @param request the client's question
     * @return the answer; not null
     * @throws Exception anything: the client is refused
     */
    default Authorized onAuthorize(AuthorizationRequest request) throws Exception {
        return Authorized.bySignature();
    }

    /**
     * A client is connected, and receives what is published from now on.
     *
     * @param session the connection
     * @throws Exception anything: the connection is closed with 1011
     */
    default void onOpen(WsPushSession session) throws Exception {}

    /**
     * A connection has come over from the server that ran before this one (the setting {@code handover}), in place of
     * {@link #onOpen}. Called once for each that is open, before anything that it says. It is in its channels and has its
     * id and its user; its attributes were the former program's, and are to be set anew.
     *
     * @param session the connection
     * @throws Exception anything: the connection is closed with 1011
     */
    default void onTakenOver(WsPushSession session) throws Exception {}

    /**
     * A client has sent a text.
     *
     * @param session the connection
     * @param text the message
     * @throws Exception anything: the connection is closed with 1011
     */
    default void onText(WsPushSession session, String text) throws Exception {}

    /**
     * A client has sent bytes.
     *
     * @param session the connection
     * @param data the message; it is the callee's
     * @throws Exception anything: the connection is closed with 1011
     */
    default void onBinary(WsPushSession session, byte[] data) throws Exception {}

    /**
     * A piece of a message has come, on a connection whose messages are handed over so ({@link WsPushRoute#pieces}, {@link
     * Decision#pieces}); {@link #onText} and {@link #onBinary} hear nothing of it. A piece is what the network has brought,
     * at most 64 KiB, and not the client's frame. A message that turns out to be none has no last piece. By default nothing
     * happens.
     *
     * @param session the connection
     * @param more whether the message goes on; only its last piece may be empty
     * @param kind what the message is; a text's pieces are whole characters
     * @param data the piece; it is the callee's
     * @throws Exception anything: the connection is closed with 1011
     */
    default void onFragment(WsPushSession session, boolean more, MessageKind kind, byte[] data) throws Exception {}

    /**
     * A pong with a payload has come: the answer to {@link WsPushSession#ping}, or one that nothing has asked for. The
     * server's own pings have no payload, and their answers are not told.
     *
     * @param session the connection
     * @param payload the payload
     * @throws Exception anything: the connection is closed with 1011
     */
    default void onPong(WsPushSession session, byte[] payload) throws Exception {}

    /**
     * A connection is gone; called once for each {@link #onOpen} and {@link #onTakenOver}.
     *
     * @param session the connection, to which nothing can be sent any more; it still has its attributes, for this callback
     * @param code the close code; 1006 if there was no close frame, 1005 if there was none in it
     * @param reason what the close frame said, often nothing
     * @throws Exception anything: it is logged
     */
    default void onClose(WsPushSession session, int code, String reason) throws Exception {}

    /**
     * A callback of this session has thrown: {@link #onOpen}, one for a message, or {@link #onClose}. If this returns, the
     * session goes on; if it throws, as it does by default, that is logged and closes the session with 1011.
     *
     * @param session the connection
     * @param problem what was thrown
     * @throws Throwable anything
     */
    default void onError(WsPushSession session, Throwable problem) throws Throwable {
        throw problem;
    }
}
