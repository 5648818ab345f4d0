/**
 * A WebSocket push server inside a Java process: very many mostly idle connections, and messages that go out to all
 * of them, to a channel or to one.
 *
 * <pre>{@code
 * try (WsPushServer server = WsPushServer.builder().listen("127.0.0.1:8080").start()) {
 *     server.broadcast("hello, everybody on /ws");
 * }
 * }</pre>
 *
 * <p>{@link io.wspush.WsPushServer} is the server, {@link io.wspush.WsPushListener} what it asks and tells its host. One
 * thread does all the work, a daemon thread named {@code wspush-reactor-N}, and the listener is called on it; with {@link
 * io.wspush.WsPushServerBuilder#reactors} so many do, and it is called on each of them. Everything else may be called from
 * any thread and never waits for the network.
 *
 * <p>Methods refuse {@code null} with {@link java.lang.NullPointerException}, arguments that can't be right with
 * {@link java.lang.IllegalArgumentException}, and calls after {@link io.wspush.WsPushServer#close()} with
 * {@link java.lang.IllegalStateException}. What the server itself refuses is a {@link io.wspush.WsPushException}.
 */
package io.wspush;
