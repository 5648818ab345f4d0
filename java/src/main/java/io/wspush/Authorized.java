package io.wspush;

import java.util.Objects;

/** The answer to an {@link AuthorizationRequest}. */
public final class Authorized {
    private static final Authorized BY_SIGNATURE = new Authorized("signature", null);
    private static final Authorized YES = new Authorized("yes", null);
    private static final Authorized PENDING = new Authorized("pending", null);

    private final String word;
    private final String text;

    private Authorized(String word, String text) {
        this.word = word;
        this.text = text;
    }

    /**
     * The signature decides, as without a listener.
     *
     * @return the answer
     */
    public static Authorized bySignature() {
        return BY_SIGNATURE;
    }

    /**
     * It may: as the one whom a backend has signed, and in a presence channel else the user that it has signed in as. A
     * client that is neither is nobody, and gets neither a presence channel nor a sign-in.
     *
     * @return the answer
     */
    public static Authorized yes() {
        return YES;
    }

    /**
     * It may, as this one.
     *
     * @param data JSON that says who it is: {@code {"user_id":"7","user_info":{..}}} in a presence channel,
     *     {@code {"id":"7"}} and what else a backend would sign for a sign-in
     * @return the answer
     */
    public static Authorized as(String data) {
        return new Authorized("yes", Objects.requireNonNull(data));
    }

    /**
     * It may not. A sign-in that is refused closes the connection (4009).
     *
     * @param reason why, for the client
     * @return the answer
     */
    public static Authorized no(String reason) {
        return new Authorized("no", Objects.requireNonNull(reason));
    }

    /**
     * The host asks somebody else first and says later, with {@link WsPushServer#authorize}. The connection goes on
     * meanwhile; after the setting {@code handshake_ms} it counts as no.
     *
     * @return the answer
     */
    public static Authorized pending() {
        return PENDING;
    }

    byte[] packed() {
        Packed packed = new Packed().put(word);
        return (text == null ? packed : packed.put(text)).bytes();
    }

    @Override
    public String toString() {
        return text == null ? word : word + " " + text;
    }
}
