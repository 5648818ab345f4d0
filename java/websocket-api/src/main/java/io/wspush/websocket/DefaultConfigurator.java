package io.wspush.websocket;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import javax.websocket.Extension;
import javax.websocket.HandshakeResponse;
import javax.websocket.server.HandshakeRequest;
import javax.websocket.server.ServerEndpointConfig;

/**
 * What an endpoint's configurator does unless it is overridden. The specification has it found as a service; applications
 * don't name it.
 */
public final class DefaultConfigurator extends ServerEndpointConfig.Configurator {
    /** Made by the service loader. */
    public DefaultConfigurator() {}

    /** The first that the client asks for and the endpoint has; otherwise none. */
    @Override
    public String getNegotiatedSubprotocol(List<String> supported, List<String> requested) {
        return requested.stream().filter(supported::contains).findFirst().orElse("");
    }

    @Override
    public List<Extension> getNegotiatedExtensions(List<Extension> installed, List<Extension> requested) {
        List<Extension> both = new ArrayList<>();
        for (Extension one : requested) {
            if (installed.stream().anyMatch(there -> there.getName().equals(one.getName()))) {
                both.add(one);
            }
        }
        return both;
    }

    /**
     * A page of the server's own origin, which is that of the {@code Host} asked for, or no page at all. The server's
     * setting {@code origins} can allow others.
     */
    @Override
    public boolean checkOrigin(String origin) {
        Handshake handshake = Handshake.current();
        return origin == null || origin.isEmpty() || handshake == null || isOfHost(origin, handshake);
    }

    private static boolean isOfHost(String origin, Handshake handshake) {
        try {
            URI page = URI.create(origin);
            String authority = page.getRawAuthority();
            return authority != null && authority.equalsIgnoreCase(handshake.header("Host"));
        } catch (IllegalArgumentException noUri) {
            return false;
        }
    }

    @Override
    public void modifyHandshake(ServerEndpointConfig config, HandshakeRequest request, HandshakeResponse response) {}

    @Override
    public <T> T getEndpointInstance(Class<T> type) throws InstantiationException {
        try {
            Constructor<T> constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (InvocationTargetException thrown) {
            throw failed(type, thrown.getCause());
        } catch (ReflectiveOperationException | RuntimeException problem) {
            throw failed(type, problem);
        }
    }

    private static InstantiationException failed(Class<?> type, Throwable cause) {
        InstantiationException failed = new InstantiationException(type.getName() + " can't be made: " + cause);
        failed.initCause(cause);
        return failed;
    }
}
