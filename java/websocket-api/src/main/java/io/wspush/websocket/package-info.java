/**
 * Endpoints of the Java API for WebSocket (JSR 356) on a {@link io.wspush.WsPushServer}: the classes of a servlet
 * container's application run as they are. {@link io.wspush.websocket.WsPushContainer} begins it.
 */
package io.wspush.websocket;
