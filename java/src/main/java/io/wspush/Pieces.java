package io.wspush;

/** How a client's messages are handed over: whole, or in pieces as they come ({@link WsPushListener#onFragment}). */
public enum Pieces {
    /** Whole, unless the route says otherwise ({@link WsPushRoute#pieces}). */
    OFF,
    /** In pieces. A message has as many bytes at the most as a whole one may have; a longer one closes with 1009. */
    BOUNDED,
    /** In pieces, and a message may be as long as the client likes. */
    UNBOUNDED
}
