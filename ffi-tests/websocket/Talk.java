import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A conversation with one container: what its client sees, and what the endpoint has noted. */
final class Talk {
    final List<String> lines = new ArrayList<>();
    final String base;
    final String name;
    RawClient client;

    Talk(String base, String name) {
        this.base = base;
        this.name = name;
    }

    /** Asks for a path, in which NAME is this conversation's name. */
    RawClient open(String target, String... fields) throws IOException {
        client = new RawClient(base, target.replace("NAME", name), fields);
        lines.add("status " + client.status);
        return client;
    }

    /** So many things that the client sees. */
    void sees(int count) throws IOException {
        for (int i = 0; i < count; i++) {
            lines.add("client: " + client.next());
        }
    }

    /** What the client sees until the connection's end. */
    void seesTheEnd() throws IOException {
        for (String seen = client.next(); !seen.equals("end"); seen = client.next()) {
            lines.add("client: " + seen);
        }
    }

    /** Texts that are answered. */
    void ask(String... texts) throws IOException {
        for (String text : texts) {
            client.text(text);
            sees(1);
        }
    }

    /** Closes, and sees the answer. */
    void close() throws IOException {
        client.close(1000, "bye");
        seesTheEnd();
    }

    /** What the endpoint has noted, once there is an event that begins so. */
    void notes(String marker) throws IOException {
        lines.addAll(noted(name, marker));
    }

    List<String> noted(String of, String marker) throws IOException {
        List<String> notes = new ArrayList<>();
        try (RawClient reader = new RawClient(base, "/transcript")) {
            reader.text(of + " " + marker);
            for (String line : reader.next().substring("text ".length()).split("\n")) {
                notes.add("endpoint: " + line);
            }
            reader.close(1000, "");
            reader.next();
        }
        return notes;
    }
}
