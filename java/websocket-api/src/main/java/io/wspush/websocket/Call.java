package io.wspush.websocket;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Parameter;
import java.util.List;
import java.util.Map;
import javax.websocket.DecodeException;
import javax.websocket.DeploymentException;
import javax.websocket.server.PathParam;

/** A method of an endpoint's class, and where each of its arguments comes from. */
final class Call {
    /** What an event brings beside the session: the configuration, the close reason, what was thrown, the message. */
    static final class Event {
        final Object subject;
        final boolean last;

        Event(Object subject, boolean last) {
            this.subject = subject;
            this.last = last;
        }
    }

    /** Where an argument comes from. */
    interface Source {
        Object of(PushSession session, Event event) throws DecodeException, java.io.IOException;
    }

    static final Source SESSION = (session, event) -> session;
    static final Source SUBJECT = (session, event) -> event.subject;
    static final Source LAST = (session, event) -> event.last;

    final Method method;
    private final Source[] sources;

    Call(Method method, Source[] sources) {
        this.method = method;
        this.sources = sources;
        method.setAccessible(true);
    }

    /** A method that may have the session, one subject of this type (null: none), and path parameters. */
    static Call of(Method method, Class<?> subject, List<String> names) throws DeploymentException {
        checkPublic(method);
        Parameter[] parameters = method.getParameters();
        Source[] sources = new Source[parameters.length];
        for (int i = 0; i < parameters.length; i++) {
            Class<?> type = parameters[i].getType();
            sources[i] = pathParameter(method, i, names);
            if (sources[i] == null && type == javax.websocket.Session.class) {
                sources[i] = SESSION;
            } else if (sources[i] == null && type == subject) {
                sources[i] = SUBJECT;
            } else if (sources[i] == null) {
                throw wrong(method, i, "is neither a Session" + (subject == null ? "" : ", a " + subject.getSimpleName())
                        + " nor has it @PathParam");
            }
        }
        return new Call(method, sources);
    }

    static void checkPublic(Method method) throws DeploymentException {
        if (!Modifier.isPublic(method.getModifiers())) {
            throw new DeploymentException(where(method) + " is not public");
        }
    }

    /** The source of a parameter with {@code @PathParam}; null: it has none. */
    static Source pathParameter(Method method, int i, List<String> names) throws DeploymentException {
        Parameter parameter = method.getParameters()[i];
        PathParam annotation = parameter.getAnnotation(PathParam.class);
        if (annotation == null) {
            return null;
        }
        Class<?> type = parameter.getType();
        if (type != String.class && !Types.isPrimitive(type)) {
            throw wrong(method, i, "has @PathParam: its type is to be String, a primitive type or its box");
        }
        String name = annotation.value();
        if (type.isPrimitive() && !names.contains(name)) {
            throw wrong(method, i, "has @PathParam(\"" + name + "\"), and the path has no such name but " + names);
        }
        return (session, event) -> {
            String value = session.pathParameter(name);
            try {
                return Types.parse(type, value);
            } catch (IllegalArgumentException problem) {
                throw new DecodeException(
                        value, "the path's {" + name + "} is no " + type.getSimpleName() + ", as " + where(method) + " wants",
                        problem);
            }
        };
    }

    static DeploymentException wrong(Method method, int i, String what) {
        String type = method.getParameterTypes()[i].getSimpleName();
        return new DeploymentException(where(method) + ": parameter " + (i + 1) + " (" + type + ") " + what);
    }

    static String where(Method method) {
        return method.getDeclaringClass().getName() + '.' + method.getName();
    }

    /** Calls it on the endpoint; what it throws is thrown as it is. */
    Object on(Object endpoint, PushSession session, Event event) throws Throwable {
        Object[] arguments = new Object[sources.length];
        for (int i = 0; i < sources.length; i++) {
            arguments[i] = sources[i].of(session, event);
        }
        try {
            return method.invoke(endpoint, arguments);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    @Override
    public String toString() {
        return where(method) + java.util.Arrays.stream(method.getParameterTypes())
                .map(Class::getSimpleName)
                .collect(java.util.stream.Collectors.joining(", ", "(", ")"));
    }

}
