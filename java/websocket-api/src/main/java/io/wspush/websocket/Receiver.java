package io.wspush.websocket;

/** What takes messages of one kind: a method of an endpoint, or a handler that was added to the session. */
interface Receiver {
    /** Whether it takes messages piece by piece. */
    boolean isPartial();

    /** Most characters or bytes of a message; -1: as the session says. */
    long sizeMax();

    /**
     * Hands over a message or a piece of one.
     *
     * @param payload a {@link String}, or a {@code byte[]} of a binary message or a pong
     * @throws Throwable anything that the application throws; a {@link javax.websocket.DecodeException} is an error of
     *     this message alone
     */
    void accept(PushSession session, Object payload, boolean last) throws Throwable;
}
