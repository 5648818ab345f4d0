package io.wspush;

import java.util.AbstractMap;
import java.util.Map;
import java.util.Set;

/** A session's attributes, as they are when they are looked at. Once it is closed there are none, and none can be put. */
final class SessionAttributes extends AbstractMap<String, Object> {
    private final Sessions sessions;
    private final long conn;

    SessionAttributes(Sessions sessions, long conn) {
        this.sessions = sessions;
        this.conn = conn;
    }

    private Map<String, Object> found() {
        Map<String, Object> found = sessions.attributes(conn);
        return found == null ? Map.of() : found;
    }

    @Override
    public Set<Entry<String, Object>> entrySet() {
        return found().entrySet();
    }

    @Override
    public Object get(Object name) {
        return found().get(name);
    }

    @Override
    public boolean containsKey(Object name) {
        return found().containsKey(name);
    }

    @Override
    public Object put(String name, Object value) {
        Map<String, Object> attributes = sessions.attributesToPut(conn);
        return attributes == null ? null : attributes.put(name, value);
    }

    @Override
    public Object putIfAbsent(String name, Object value) {
        Map<String, Object> attributes = sessions.attributesToPut(conn);
        return attributes == null ? null : attributes.putIfAbsent(name, value);
    }

    @Override
    public Object remove(Object name) {
        Map<String, Object> attributes = sessions.attributes(conn);
        return attributes == null ? null : attributes.remove(name);
    }

    @Override
    public void clear() {
        found().keySet().forEach(this::remove);
    }
}
