package io.wspush.websocket;

import java.io.EOFException;
import java.lang.annotation.Annotation;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.websocket.CloseReason;
import javax.websocket.DeploymentException;
import javax.websocket.EndpointConfig;
import javax.websocket.OnClose;
import javax.websocket.OnError;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.server.ServerEndpointConfig;

/** A class with {@code @ServerEndpoint}, and its methods that were found once, when it was deployed. */
final class AnnotatedEndpoint implements Events {
    private final Class<?> type;
    private final Call open;
    private final Call close;
    private final Call error;
    private final Receivers receivers;

    AnnotatedEndpoint(Class<?> type, UriTemplate template, Coders coders) throws DeploymentException {
        this.type = type;
        List<String> names = template.names();
        open = call(OnOpen.class, EndpointConfig.class, names);
        close = call(OnClose.class, CloseReason.class, names);
        error = call(OnError.class, Throwable.class, names);
        if (error != null && !Arrays.asList(error.method.getParameterTypes()).contains(Throwable.class)) {
            throw new DeploymentException(Call.where(error.method) + " has @OnError and no parameter of type Throwable");
        }
        Receivers found = Receivers.NONE;
        for (Method method : methods(OnMessage.class)) {
            found = new MessageMethod(method, names, coders).addTo(found, coders);
        }
        receivers = found;
    }

    private Call call(Class<? extends Annotation> annotation, Class<?> subject, List<String> names)
            throws DeploymentException {
        List<Method> methods = methods(annotation);
        if (methods.size() > 1) {
            throw new DeploymentException(
                    type.getName() + " has @" + annotation.getSimpleName() + " twice: at " + methods.get(0).getName()
                            + " and at " + methods.get(1).getName());
        }
        return methods.isEmpty() ? null : Call.of(methods.get(0), subject, names);
    }

    /**
     * The methods with an annotation, of the class and of those that it extends. One that is overridden counts as the
     * class says that overrides it: without the annotation it is none any more.
     */
    private List<Method> methods(Class<? extends Annotation> annotation) {
        List<Method> all = new ArrayList<>();
        List<Method> found = new ArrayList<>();
        for (Class<?> level = type; level != null && level != Object.class; level = level.getSuperclass()) {
            for (Method method : level.getDeclaredMethods()) {
                if (method.isBridge() || method.isSynthetic() || all.stream().anyMatch(below -> overrides(below, method))) {
                    continue;
                }
                all.add(method);
                if (method.isAnnotationPresent(annotation)) {
                    found.add(method);
                }
            }
        }
        return found;
    }

    private static boolean overrides(Method below, Method above) {
        return below.getName().equals(above.getName())
                && below.getReturnType() == above.getReturnType()
                && Arrays.equals(below.getParameterTypes(), above.getParameterTypes());
    }

    @Override
    public Object instance(ServerEndpointConfig config) throws InstantiationException {
        return config.getConfigurator().getEndpointInstance(type);
    }

    @Override
    public Receivers receivers() {
        return receivers;
    }

    @Override
    public void open(PushSession session) throws Throwable {
        if (open != null) {
            open.on(session.endpoint(), session, new Call.Event(session.config(), true));
        }
    }

    @Override
    public void close(PushSession session, CloseReason reason) throws Throwable {
        if (close != null) {
            close.on(session.endpoint(), session, new Call.Event(reason, true));
        }
    }

    @Override
    public void error(PushSession session, Throwable problem) throws Throwable {
        if (error == null && problem instanceof EOFException) {
            // A client that goes without a word is no failure; whoever wants to know has @OnError.
            return;
        }
        if (error == null) {
            Log.failed(type.getName() + " (it has no @OnError)", problem);
        } else {
            error.on(session.endpoint(), session, new Call.Event(problem, true));
        }
    }
}
