package io.wspush.websocket;

import java.io.ByteArrayOutputStream;

/** A message that comes in pieces and is wanted whole. */
final class Assembly {
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    int length() {
        return text.length() + bytes.size();
    }

    void add(Object piece) {
        if (piece instanceof String) {
            text.append((String) piece);
        } else {
            bytes.write((byte[]) piece, 0, ((byte[]) piece).length);
        }
    }

    /** The whole message, behind its last piece. */
    Object whole(Object last) {
        add(last);
        return last instanceof String ? text.toString() : bytes.toByteArray();
    }

    static int length(Object piece) {
        return piece instanceof String ? ((String) piece).length() : ((byte[]) piece).length;
    }
}
