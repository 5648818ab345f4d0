package io.wspush.websocket;

import java.net.URI;
import java.security.Principal;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.websocket.Extension;
import javax.websocket.RemoteEndpoint;
import javax.websocket.Session;
import javax.websocket.WebSocketContainer;

/** What can be asked of a session, and set. */
abstract class SessionProperties implements Session {
    private final Deployment deployment;
    private final Opening opening;
    /** Null as long as nothing of it is set. */
    private volatile Extras extras;

    SessionProperties(Deployment deployment, Opening opening) {
        this.deployment = deployment;
        this.opening = opening;
    }

    /** Throws unless the session is open or its {@code onClose} runs. */
    abstract void checkNotClosed();

    abstract Wire wire();

    final Deployment deployment() {
        return deployment;
    }

    final WsPushContainer container() {
        return deployment.container();
    }

    final String pathParameter(String name) {
        return opening.pathParameters().get(name);
    }

    final Extras extras() {
        Extras there = extras;
        if (there != null) {
            return there;
        }
        synchronized (opening) {
            if (extras == null) {
                extras = new Extras(container());
            }
            return extras;
        }
    }

    final long idleTimeoutMs() {
        return extras == null ? container().getDefaultMaxSessionIdleTimeout() : extras.idleTimeoutMs;
    }

    @Override
    public WebSocketContainer getContainer() {
        checkNotClosed();
        return container();
    }

    @Override
    public String getProtocolVersion() {
        checkNotClosed();
        return "13";
    }

    @Override
    public String getNegotiatedSubprotocol() {
        checkNotClosed();
        return opening.subprotocol;
    }

    @Override
    public List<Extension> getNegotiatedExtensions() {
        checkNotClosed();
        return opening.extensions;
    }

    @Override
    public boolean isSecure() {
        checkNotClosed();
        return opening.isSecure();
    }

    @Override
    public long getMaxIdleTimeout() {
        checkNotClosed();
        return idleTimeoutMs();
    }

    @Override
    public void setMaxIdleTimeout(long timeoutMs) {
        checkNotClosed();
        extras().idleTimeoutMs = timeoutMs;
        container().watchIdleSessions(timeoutMs);
    }

    @Override
    public void setMaxBinaryMessageBufferSize(int bytes) {
        checkNotClosed();
        extras().binarySizeMax = bytes;
    }

    @Override
    public int getMaxBinaryMessageBufferSize() {
        checkNotClosed();
        return extras == null ? container().getDefaultMaxBinaryMessageBufferSize() : extras.binarySizeMax;
    }

    @Override
    public void setMaxTextMessageBufferSize(int characters) {
        checkNotClosed();
        extras().textSizeMax = characters;
    }

    @Override
    public int getMaxTextMessageBufferSize() {
        checkNotClosed();
        return extras == null ? container().getDefaultMaxTextMessageBufferSize() : extras.textSizeMax;
    }

    @Override
    public URI getRequestURI() {
        checkNotClosed();
        return opening.uri();
    }

    @Override
    public Map<String, List<String>> getRequestParameterMap() {
        checkNotClosed();
        return opening.parameters();
    }

    @Override
    public String getQueryString() {
        checkNotClosed();
        return opening.query();
    }

    @Override
    public Map<String, String> getPathParameters() {
        checkNotClosed();
        return opening.pathParameters();
    }

    @Override
    public Principal getUserPrincipal() {
        checkNotClosed();
        return opening.principal();
    }

    @Override
    public Map<String, Object> getUserProperties() {
        checkNotClosed();
        Extras there = extras();
        synchronized (there) {
            if (there.userProperties == null) {
                there.userProperties = new ConcurrentHashMap<>(4);
            }
            return there.userProperties;
        }
    }

    @Override
    public Set<Session> getOpenSessions() {
        checkNotClosed();
        return deployment.members().all();
    }

    @Override
    public String getId() {
        return Long.toHexString(wire().id());
    }

    @Override
    public String toString() {
        return "session " + getId() + " of " + deployment;
    }
}
