package io.wspush;

import java.time.Duration;
import java.util.Map;
import java.util.Objects;

/**
 * A connection, as callbacks get it: its id and who it is. It may be kept, as a key, too, and used on any thread;
 * once the connection has gone what is sent to it is dropped, since ids are never used twice.
 */
public final class WsPushSession extends SessionMessages {
    private final String user;
    private final byte[] parameters;
    /** What it had when it was closed; null for one that was open when this was made. */
    private final Map<String, Object> last;

    /** {@code parameters} are packed; null if there are none. */
    WsPushSession(Callbacks of, long id, String user, byte[] parameters) {
        this(of, id, user, parameters, null);
    }

    private WsPushSession(Callbacks of, long id, String user, byte[] parameters, Map<String, Object> last) {
        super(of, id);
        this.user = user;
        this.parameters = parameters;
        this.last = last;
    }

    /** The same after its end. */
    WsPushSession closed(Map<String, Object> last) {
        return new WsPushSession(of, id, user, parameters, last);
    }

    /**
     * The connection's id, for {@link WsPushServer#send(long, String) send(long, String)} and the like.
     *
     * @return the id
     */
    public long id() {
        return id;
    }

    /**
     * Who it is.
     *
     * @return the name that {@link WsPushListener#onConnect} gave it, or null
     */
    public String user() {
        return user;
    }

    /**
     * The server that it is connected to.
     *
     * @return the server
     */
    public WsPushServer server() {
        return server;
    }

    /**
     * The route that it has come by.
     *
     * @return its path, as it was given to {@link WsPushRoute#at}; null for a path of the server's own ({@code /ws})
     */
    public String route() {
        return of.route() == null ? null : of.route().path();
    }

    /**
     * What the names in the route's path stand for; see {@link ConnectRequest#pathParameters}.
     *
     * @return names and values; an empty map if the route has no names
     */
    public Map<String, String> pathParameters() {
        return parameters == null ? Map.of() : ConnectRequest.pairs(Packed.unpack(parameters));
    }

    /**
     * What a name in the route's path stands for; see {@link ConnectRequest#pathParameter}.
     *
     * @param name the name
     * @return the value; null if the route has no such name
     */
    public String pathParameter(String name) {
        return pathParameters().get(name);
    }

    /**
     * Whether it is open: from before {@link WsPushListener#onOpen} until before {@link WsPushListener#onClose}. On another
     * thread than the reactor's it may be closed the moment after.
     *
     * @return whether it is
     */
    public boolean isOpen() {
        return last == null && server.sessions.isOpen(id);
    }

    /**
     * What the host keeps at this session. Any thread may read it and put into it; neither names nor values are null. It
     * takes no memory before something is put, and is freed behind {@link WsPushListener#onClose}; what is put after that
     * is dropped.
     *
     * @return the attributes as they are whenever they are looked at
     */
    public Map<String, Object> attributes() {
        return last == null ? new SessionAttributes(server.sessions, id) : last;
    }

    /**
     * One attribute.
     *
     * @param name its name
     * @return its value, or null
     */
    public Object attribute(String name) {
        return attributes().get(name);
    }

    /**
     * Sets one attribute.
     *
     * @param name its name
     * @param value its value; null takes it away
     */
    public void attribute(String name, Object value) {
        if (value == null) {
            attributes().remove(name);
        } else {
            attributes().put(name, value);
        }
    }

    /**
     * Closes the session with 1001 when so much time has passed without a message from the client, and without one to it
     * alone.
     *
     * @param time from 100 ms to 7 days; zero: never
     */
    public void idleTimeout(Duration time) {
        Native.idleTimeout(server.id, id, time.isZero() ? -1 : time.toMillis());
    }

    /**
     * The largest message that it takes from here on, in place of the route's or the server's.
     *
     * @param bytes so many at the most, from 125 to 256 MiB
     */
    public void maxMessage(int bytes) {
        Native.maxMessage(server.id, id, bytes);
    }

    /**
     * Sends a ping, behind what was sent before. Its answer comes to {@link WsPushListener#onPong}, unless the payload is
     * empty.
     *
     * @param payload at most 125 bytes
     */
    public void ping(byte[] payload) {
        Native.control(server.id, id, payload, true);
    }

    /**
     * Sends a pong that nothing has asked for.
     *
     * @param payload at most 125 bytes
     */
    public void pong(byte[] payload) {
        Native.control(server.id, id, payload, false);
    }

    /**
     * Closes the connection; see {@link WsPushServer#close(long, int, String) close(long, int, String)}.
     *
     * @param code the close code
     * @param reason for the client
     */
    public void close(int code, String reason) {
        server.close(id, code, reason);
    }

    /**
     * Lets the connection receive a channel from now on.
     *
     * @param channel the channel
     */
    public void subscribe(String channel) {
        server.subscribe(id, channel);
    }

    /**
     * Lets the connection receive a channel from there on. Nothing happens if it does already.
     *
     * @param channel the channel
     * @param since where it begins: behind a position {@code E.O} (the epoch and the offset of a {@link Receipt}), or
     *     {@code head}, {@code earliest}, {@code last:N}, {@code time:UNIX_MS}, {@code latest}
     */
    public void subscribe(String channel, String since) {
        server.subscribe(id, channel, since);
    }

    /**
     * Lets it receive the channel no more.
     *
     * @param channel the channel
     */
    public void unsubscribe(String channel) {
        server.unsubscribe(id, channel);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof WsPushSession
                && ((WsPushSession) other).id == id
                && ((WsPushSession) other).server == server;
    }

    @Override
    public int hashCode() {
        return Objects.hash(id);
    }

    @Override
    public String toString() {
        return user == null ? "connection " + id : "connection " + id + " (" + user + ")";
    }
}
