package io.wspush.websocket;

import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.HashMap;
import java.util.Map;

/** What the compiler has noted about type arguments, and the primitive types. */
final class Types {
    private static final Map<Class<?>, Class<?>> BOXES =
            Map.of(
                    boolean.class, Boolean.class,
                    byte.class, Byte.class,
                    char.class, Character.class,
                    double.class, Double.class,
                    float.class, Float.class,
                    int.class, Integer.class,
                    long.class, Long.class,
                    short.class, Short.class);

    private Types() {}

    /** The class that {@code type} gives the only type parameter of {@code generic}; null if it leaves it open. */
    static Class<?> argument(Class<?> type, Class<?> generic) {
        return raw(find(type, generic, Map.of()));
    }

    private static Type find(Type type, Class<?> generic, Map<TypeVariable<?>, Type> outer) {
        Class<?> raw = raw(type);
        if (raw == null || !generic.isAssignableFrom(raw)) {
            return null;
        }
        Map<TypeVariable<?>, Type> bound = new HashMap<>();
        if (type instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            for (int i = 0; i < arguments.length; i++) {
                Type argument = arguments[i];
                bound.put(raw.getTypeParameters()[i], outer.getOrDefault(argument, argument));
            }
        }
        if (raw == generic) {
            return bound.get(generic.getTypeParameters()[0]);
        }
        for (Type parent : raw.getGenericInterfaces()) {
            Type found = find(parent, generic, bound);
            if (found != null) {
                return found;
            }
        }
        return raw.getGenericSuperclass() == null ? null : find(raw.getGenericSuperclass(), generic, bound);
    }

    private static Class<?> raw(Type type) {
        if (type instanceof Class) {
            return (Class<?>) type;
        }
        if (type instanceof ParameterizedType) {
            return raw(((ParameterizedType) type).getRawType());
        }
        if (type instanceof GenericArrayType) {
            Class<?> element = raw(((GenericArrayType) type).getGenericComponentType());
            return element == null ? null : java.lang.reflect.Array.newInstance(element, 0).getClass();
        }
        return null;
    }

    /** The class of a value of this type. */
    static Class<?> boxed(Class<?> type) {
        return BOXES.getOrDefault(type, type);
    }

    /** Whether it is a primitive type or the box of one. */
    static boolean isPrimitive(Class<?> type) {
        return type.isPrimitive() || BOXES.containsValue(type);
    }

    /** A text as a value of a string's, a primitive's or a box's type. */
    static Object parse(Class<?> type, String text) {
        if (type == String.class || text == null) {
            return text;
        }
        Class<?> box = boxed(type);
        if (box == Boolean.class) {
            return Boolean.valueOf(text);
        }
        if (box == Character.class) {
            if (text.length() != 1) {
                throw new IllegalArgumentException("not one character: \"" + text + '"');
            }
            return text.charAt(0);
        }
        if (box == Byte.class) {
            return Byte.valueOf(text);
        }
        if (box == Short.class) {
            return Short.valueOf(text);
        }
        if (box == Integer.class) {
            return Integer.valueOf(text);
        }
        if (box == Long.class) {
            return Long.valueOf(text);
        }
        return box == Float.class ? (Object) Float.valueOf(text) : (Object) Double.valueOf(text);
    }
}
