import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The same classes in two containers: what a client sees and what the endpoint notes has to be the same, line by line.
 * Arguments: the addresses of both, Tomcat's first; with one address it prints what happens there.
 */
public final class Compare {
    private static final AtomicInteger NUMBER = new AtomicInteger();

    private Compare() {}

    private static List<String> play(String base, String name, Cases.Steps steps) {
        Talk talk = new Talk(base, name.replaceAll("[^a-zA-Z]", "") + NUMBER.incrementAndGet());
        try {
            steps.go(talk);
            if (talk.client != null) {
                talk.client.close();
            }
        } catch (Exception | Error problem) {
            talk.lines.add("failed: " + problem);
        }
        List<String> shown = new ArrayList<>();
        talk.lines.forEach(line -> shown.add(line.replace(talk.name, "NAME")));
        return shown;
    }

    public static void main(String[] bases) {
        Programs.addTo(Cases.ALL);
        int different = 0;
        for (Map.Entry<String, Cases.Steps> one : Cases.ALL.entrySet()) {
            List<String> first = play(bases[0], one.getKey(), one.getValue());
            List<String> second = bases.length == 1 ? first : play(bases[1], one.getKey(), one.getValue());
            boolean isSame = first.equals(second) && first.stream().noneMatch(line -> line.startsWith("failed"));
            if (!isSame || bases.length == 1) {
                System.out.println("== " + one.getKey());
                first.forEach(line -> System.out.println("   " + line));
            }
            if (!isSame && bases.length > 1) {
                System.out.println("-- and here:");
                second.forEach(line -> System.out.println("   " + line));
            }
            different += isSame ? 0 : 1;
        }
        System.out.println(Cases.ALL.size() - different + " passed, " + different + " failed");
        System.exit(different == 0 ? 0 : 1);
    }
}
