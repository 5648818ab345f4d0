package io.wspush;

/** What a message is. */
public enum MessageKind {
    /** A text. Each piece of one is valid UTF-8 by itself. */
    TEXT,
    /** Bytes. */
    BINARY
}
