package io.wspush.websocket;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.websocket.DeploymentException;

/** An endpoint's path: segments that are given, and {@code {names}} that stand for one segment each. */
final class UriTemplate {
    private final String path;
    private final List<String> names = new ArrayList<>();
    private final String shape;

    private UriTemplate(String path, String where) throws DeploymentException {
        this.path = path;
        StringBuilder shape = new StringBuilder();
        Set<String> seen = new HashSet<>();
        String[] segments = path.substring(1).split("/", -1);
        for (int i = 0; i < segments.length; i++) {
            String segment = segments[i];
            boolean isLast = i == segments.length - 1;
            if (segment.isEmpty() && !isLast) {
                throw wrong(where, path, "has an empty segment");
            }
            shape.append('/');
            if (segment.length() > 2 && segment.startsWith("{") && segment.endsWith("}")) {
                String name = segment.substring(1, segment.length() - 1);
                if (!seen.add(name)) {
                    throw wrong(where, path, "has the name {" + name + "} twice");
                }
                names.add(name);
                shape.append("{}");
            } else if (segment.equals("*")) {
                throw wrong(where, path, "has a *: a segment that stands for any is a {name}");
            } else if (segment.contains("{") || segment.contains("}")) {
                throw wrong(where, path, "has braces in \"" + segment + "\": a {name} is a whole segment");
            } else {
                shape.append(segment);
            }
        }
        this.shape = shape.toString();
    }

    /** {@code where} names the endpoint for the exception. */
    static UriTemplate parse(String path, String where) throws DeploymentException {
        if (path == null || !path.startsWith("/")) {
            throw new DeploymentException(where + ": the path \"" + path + "\" doesn't begin with a slash");
        }
        return new UriTemplate(path, where);
    }

    private static DeploymentException wrong(String where, String path, String what) {
        return new DeploymentException(where + ": the path \"" + path + "\" " + what);
    }

    String path() {
        return path;
    }

    List<String> names() {
        return names;
    }

    /** What two templates have in common that fit the same paths. */
    String shape() {
        return shape;
    }
}
