package io.wspush.websocket;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Who takes a session's messages, one receiver at the most for each kind. It doesn't change. */
final class Receivers {
    static final Receivers NONE = new Receivers(null, null, null);

    final Receiver text;
    final Receiver binary;
    final Receiver pong;

    private Receivers(Receiver text, Receiver binary, Receiver pong) {
        this.text = text;
        this.binary = binary;
        this.pong = pong;
    }

    /** With one more, for each kind of message that this type stands for. {@code made} makes it of the conversion. */
    Receivers with(Class<?> target, Coders coders, Function<Conversion, Receiver> made) {
        Conversion ofText = Conversion.ofText(target, coders);
        Conversion ofBinary = Conversion.ofBinary(target, coders);
        Conversion ofPong = Conversion.ofPong(target);
        if (ofText == null && ofBinary == null && ofPong == null) {
            throw new IllegalArgumentException(
                    "messages don't come as " + target.getName() + ", and the endpoint has no decoder for it");
        }
        return new Receivers(
                ofText == null ? text : only(text, "text", made.apply(ofText)),
                ofBinary == null ? binary : only(binary, "binary", made.apply(ofBinary)),
                ofPong == null ? pong : only(pong, "pong", made.apply(ofPong)));
    }

    private static Receiver only(Receiver there, String kind, Receiver more) {
        if (there != null) {
            throw new IllegalStateException("there is a handler for " + kind + " messages already: " + there);
        }
        return more;
    }

    Receivers without(java.util.function.Predicate<Receiver> gone) {
        return new Receivers(
                text != null && gone.test(text) ? null : text,
                binary != null && gone.test(binary) ? null : binary,
                pong != null && gone.test(pong) ? null : pong);
    }

    List<Receiver> all() {
        List<Receiver> all = new ArrayList<>();
        for (Receiver one : new Receiver[] {text, binary, pong}) {
            if (one != null) {
                all.add(one);
            }
        }
        return all;
    }
}
