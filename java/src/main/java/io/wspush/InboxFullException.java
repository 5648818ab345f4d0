package io.wspush;

/**
 * The reactor is behind: as many messages wait for it as may ({@code inbox_commands_max}, {@code inbox_bytes_max}).
 * Nothing was published; try again a little later. This is how a publisher that is faster than the machine is
 * told so.
 */
public final class InboxFullException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the server.
     *
     * @param message what happened
     */
    InboxFullException(String message) {
        super(message);
    }
}
