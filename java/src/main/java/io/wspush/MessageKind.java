package io.wspush;

/** What a message is. */
public enum MessageKind {
    /** Text. */
    TEXT,
    /** Bytes. */
    BINARY
}
