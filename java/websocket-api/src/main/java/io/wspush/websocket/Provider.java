package io.wspush.websocket;

import java.util.List;
import javax.websocket.ContainerProvider;
import javax.websocket.WebSocketContainer;

/** What {@link ContainerProvider#getWebSocketContainer} finds: a container without endpoints, which is no client either. */
public final class Provider extends ContainerProvider {
    /** Made by the service loader. */
    public Provider() {}

    @Override
    protected WebSocketContainer getContainer() {
        return new WsPushContainer(List.of(), new Workers(1));
    }
}
