import io.wspush.BadItemException;
import io.wspush.BatchItem;
import io.wspush.ChannelHistory;
import io.wspush.ChannelInfo;
import io.wspush.ChannelPage;
import io.wspush.ChannelPresence;
import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.HistoryQuery;
import io.wspush.KeyReusedException;
import io.wspush.OffsetDiffersException;
import io.wspush.PublishTerms;
import io.wspush.Published;
import io.wspush.PublishedBatch;
import io.wspush.PushOptions;
import io.wspush.ServerStoppedException;
import io.wspush.UserPage;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Publishing on terms, and what a host can ask: waiting for it, and in callbacks. */
final class ReadsHost implements WsPushListener {
    private static final byte[] BINARY = {0, (byte) 0xff, 1};

    @Override
    public Decision onConnect(ConnectRequest request) {
        return Decision.accept().user(String.valueOf(request.query("as"))).info("{\"n\":1}");
    }

    /** In a callback nobody may wait, but ask, and ask again. */
    @Override
    public void onText(WsPushSession session, String text) {
        WsPushServer server = session.server();
        CompletableFuture<UserPage> asked = server.user("ann").connections(0, 1);
        for (CompletableFuture<UserPage> future : List.of(asked, asked.thenApply(page -> page))) {
            Check.thrown(IllegalStateException.class, "join in a callback", future::join);
            Check.thrown(IllegalStateException.class, "get in a callback", future::get);
            Check.thrown(IllegalStateException.class, "get in a callback", () -> future.get(1, TimeUnit.DAYS));
        }
        asked.thenCompose(page -> {
                    Check.equal(1, page.connections().size(), "one of two");
                    Check.equal(page.connections().get(0).id(), page.next(), "behind it");
                    server.user("ann").subscribe("inbox.ann", "earliest");
                    return server.user("ann").connections();
                })
                .thenAccept(page -> {
                    Check.that(page.connections().size() == 2 && page.next() == 0, "both");
                    session.send(String.join(" ", page.connections().get(1).channels()));
                })
                .exceptionally(problem -> {
                    session.send(problem.toString());
                    return null;
                });
    }

    private static void publishOnTerms(WsPushServer server) {
        PublishTerms once = PublishTerms.NONE.idempotencyKey("order-17");
        Published first = server.publish(List.of("a", "b"), "one", once);
        Published again = server.publish(List.of("a", "b"), "one", once);
        Check.that(!first.isDuplicate() && again.isDuplicate(), "it is published once");
        Check.equal(first.receipts().get(1).id(), again.receipts().get(1).id(), "the first receipts");
        Check.equal("b", first.receipts().get(1).channel(), "in their order");
        KeyReusedException reused =
                Check.thrown(KeyReusedException.class, "another", () -> server.publish(List.of("a"), "one", once));
        Check.that(!reused.getMessage().contains("order-17"), "no key in an error");
        OffsetDiffersException differs = Check.thrown(
                OffsetDiffersException.class,
                "a conflict",
                () -> server.publish(List.of("a", "none"), "two", PublishTerms.NONE.ifOffset(1)));
        Check.equal("none/0/0", differs.channel() + "/" + differs.epoch() + "/" + differs.offset(), "no channel");
        differs = Check.thrown(
                OffsetDiffersException.class,
                "a conflict",
                () -> server.publish(List.of("b"), "two", PublishTerms.NONE.ifOffset(0)));
        Check.equal(first.receipts().get(1).epoch(), differs.epoch(), "the epoch");
        Check.equal(1L, differs.offset(), "the offset");
        server.publish(List.of("a"), BINARY, PublishTerms.NONE.ifOffset(1));
        server.publish(List.of("b"), ByteBuffer.wrap(BINARY), PublishTerms.NONE);
        for (List<String> wrong : List.of(List.<String>of(), List.of("a", "a"), List.of("a", ""))) {
            Check.thrown(
                    IllegalArgumentException.class,
                    "wrong channels: " + wrong,
                    () -> server.publish(wrong, "x", PublishTerms.NONE));
        }
        PublishTerms noKey = PublishTerms.NONE.idempotencyKey("");
        Check.thrown(IllegalArgumentException.class, "no key", () -> server.publish(List.of("a"), "x", noKey));
        Check.thrown(IllegalArgumentException.class, "negative", () -> PublishTerms.NONE.ifOffset(-1));
    }

    private static void publishInARequest(WsPushServer server) {
        String parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        PublishTerms traced = PublishTerms.NONE.idempotencyKey("traced").traceparent(parent);
        for (boolean isAgain : new boolean[] {false, true}) {
            Published published = server.publish(List.of("traced", "paced"), "x", traced);
            Check.equal(isAgain, published.isDuplicate(), "once");
            Check.equal(parent, published.traceparent().orElseThrow(), "the request is in the outcome");
        }
        for (PublishTerms none : List.of(PublishTerms.NONE, PublishTerms.NONE.traceparent(parent + "0"))) {
            Published published = server.publish(List.of("traced"), "x", none);
            Check.that(published.traceparent().isEmpty(), "no request");
        }
    }

    private static void publishABatchInARequest(WsPushServer server) {
        String parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        List<BatchItem> items = List.of(BatchItem.user("ann", "to her"), BatchItem.channel("traced-batch", "x"));
        PublishTerms traced = PublishTerms.NONE.idempotencyKey("traced-batch").traceparent(parent);
        for (boolean isAgain : new boolean[] {false, true}) {
            PublishedBatch batch = server.publishBatch(items, traced);
            Check.equal(isAgain, batch.isDuplicate(), "once");
            Check.equal(parent, batch.traceparent().orElseThrow(), "the request is in the outcome");
        }
        for (PublishTerms none : List.of(PublishTerms.NONE, PublishTerms.NONE.traceparent(parent + "0"))) {
            Check.that(server.publishBatch(items, none).traceparent().isEmpty(), "no request");
        }
        PublishTerms none = PublishTerms.NONE;
        for (PublishTerms other :
                List.of(none.ifOffset(3), none.rate(5), none.options(PushOptions.UNCOMPRESSED))) {
            Check.thrown(IllegalArgumentException.class, "not a batch's", () -> server.publishBatch(items, other));
        }
        Check.equal(4L, server.publishBatch(items).receipts().get(1).orElseThrow().offset(), "none was taken");
    }

    private static void publishAtAPace(WsPushServer server) {
        PublishTerms slowly = PublishTerms.NONE.rate(5);
        Check.equal(1L, server.publish(List.of("paced"), "x", slowly).receipts().get(0).offset(), "a rate");
        PublishTerms inTime = slowly.deadline(Duration.ofMinutes(1));
        Check.equal(2L, server.publish(List.of("paced"), "x", inTime).receipts().get(0).offset(), "a deadline");
        List<BatchItem> items = List.of(BatchItem.channel("paced", "x").rate(7), BatchItem.channel("paced", "y"));
        Check.equal(3L, server.publishBatch(items).receipts().get(0).orElseThrow().offset(), "an item's rate");
        Check.thrown(IllegalArgumentException.class, "no rate", () -> PublishTerms.NONE.rate(0));
        Check.thrown(IllegalArgumentException.class, "too fast", () -> BatchItem.channel("a", "x").rate(1_000_001));
        Check.thrown(IllegalArgumentException.class, "no time", () -> PublishTerms.NONE.deadline(Duration.ZERO));
        List<BatchItem> toOne = List.of(BatchItem.user("ann", "x").deadline(Duration.ofSeconds(1)));
        BadItemException refused =
                Check.thrown(BadItemException.class, "nothing to spread", () -> server.publishBatch(toOne));
        Check.that(refused.getMessage().contains("deadline_ms go with channels"), refused.getMessage());
    }

    private static void publishBatches(WsPushServer server) {
        List<BatchItem> items = new ArrayList<>(List.of(
                BatchItem.channel("batched", "one"),
                BatchItem.user("ann", BINARY),
                BatchItem.connection(77, ByteBuffer.wrap(BINARY)).options(PushOptions.UNCOMPRESSED),
                BatchItem.channel("batched", BINARY)));
        PublishedBatch first = server.publishBatch(items, "batch-1");
        PublishedBatch again = server.publishBatch(items, "batch-1");
        Check.that(!first.isDuplicate() && again.isDuplicate(), "it is published once");
        Check.equal("batched", first.receipts().get(0).orElseThrow().channel(), "where");
        Check.equal(2L, again.receipts().get(3).orElseThrow().offset(), "the first receipts");
        Check.that(first.receipts().size() == 4 && first.receipts().get(1).isEmpty(), "no place in a log");
        ChannelHistory kept = server.history("batched", HistoryQuery.ALL).join().orElseThrow();
        Check.equal("one", kept.publications().get(0).text(), "a text");
        Check.equal(Client.hex(BINARY), Client.hex(kept.publications().get(1).data()), "bytes");
        for (BatchItem bad : List.of(
                BatchItem.user("", "x"),
                BatchItem.channel("a b", "x"),
                BatchItem.connection(0, BINARY),
                BatchItem.channel("batched", ""))) {
            List<BatchItem> wrong = new ArrayList<>(items);
            wrong.add(bad);
            BadItemException refused =
                    Check.thrown(BadItemException.class, "a bad item", () -> server.publishBatch(wrong));
            Check.equal(4, refused.index(), "which one it is");
            Check.that(refused.getMessage().startsWith("items[4]: "), refused.getMessage());
            Check.that(refused.getCause() != null, "why");
        }
        Check.thrown(KeyReusedException.class, "another", () -> server.publishBatch(items.subList(0, 1), "batch-1"));
        Check.thrown(IllegalArgumentException.class, "no key", () -> server.publishBatch(items, ""));
        Check.thrown(IllegalArgumentException.class, "no items", () -> server.publishBatch(List.of()));
        Check.equal(3L, server.publishBatch(items).receipts().get(0).orElseThrow().offset(), "none was taken");
    }

    private static String offsets(Optional<ChannelHistory> page) {
        return page.orElseThrow().publications().stream()
                .map(publication -> Long.toString(publication.offset()))
                .collect(Collectors.joining(" "));
    }

    private static void readBack(WsPushServer server) {
        ChannelHistory all = server.history("a", HistoryQuery.ALL).join().orElseThrow();
        ChannelHistory.Publication text = all.publications().get(0);
        ChannelHistory.Publication binary = all.publications().get(1);
        Check.that(text.isText() && text.text().equals("one") && !binary.isText(), "kinds");
        Check.equal(Client.hex(BINARY), Client.hex(binary.data()), "bytes");
        Check.that(text.time().toEpochMilli() > 1_000_000_000_000L, "a time");
        for (int n = 3; n <= 6; n++) {
            server.publish("a", "more");
        }
        HistoryQuery query = HistoryQuery.ALL.limit(2);
        Check.equal("6 5", offsets(server.history("a", query.newestFirst()).join()), "the newest");
        Optional<ChannelHistory> page = server.history("a", query.since(all.position(text))).join();
        Check.equal("3 4", offsets(page), "behind a position");
        Check.equal(OptionalLong.of(2), page.orElseThrow().missedFrom(), "what is gone");
        Check.equal(OptionalLong.of(2), page.orElseThrow().missedTo(), "what is gone");
        Check.equal(OptionalLong.empty(), all.missedTo(), "nothing is gone");
        Check.equal(Optional.empty(), server.history("none", query).join(), "no such channel");
        Check.equal(Optional.empty(), server.channel("none").join(), "no such channel");
        Check.equal(Optional.empty(), server.presence("a").join(), "it has no presence");
        List<String> names = new ArrayList<>();
        ChannelPage list = server.channels("", 0, 2).join();
        list.channels().forEach(channel -> names.add(channel.name()));
        Check.that(list.next() != 0, "a page");
        list = server.channels("", list.next(), 2).join();
        list.channels().forEach(channel -> names.add(channel.name()));
        Check.equal(List.of("broadcast", "a", "b"), names, "all channels");
        Check.equal(0L, list.next(), "the last page");
        Check.equal(2, server.channels("b").join().channels().size(), "those that begin so");
        ChannelInfo before = server.channel("b").join().orElseThrow();
        Check.that(before.offset() == 2 && before.first() == 1 && before.bytes() > 0, "how it stands");
        ChannelInfo after = server.forgetHistory("b").join().orElseThrow();
        Check.that(after.offset() == 0 && after.epoch() != before.epoch(), "forgotten");
        Check.equal(0L, after.subscribers(), "nobody is there");
        Check.thrown(IllegalArgumentException.class, "since", () -> server.history("a", query.since("now")));
        Check.thrown(IllegalArgumentException.class, "limit", () -> server.history("a", query.limit(0)));
        Check.thrown(IllegalArgumentException.class, "limit", () -> server.history("a", query.limit(-1)));
        Check.thrown(IllegalArgumentException.class, "limit", () -> server.channels("", 0, 1_001));
        Check.thrown(IllegalArgumentException.class, "a name", () -> server.channel(""));
        Check.thrown(IllegalArgumentException.class, "a name", () -> server.user("").connections());
        Check.thrown(
                IllegalArgumentException.class, "since", () -> server.user("u").subscribe("a", "now"));
    }

    public static void main(String[] args) throws Exception {
        List<CompletableFuture<Optional<ChannelHistory>>> last = new ArrayList<>();
        WsPushServer ended;
        try (WsPushServer server = Check.builder()
                .set("log_publications", "4")
                .set("channel_rule", "inbox.* presence=true")
                .listener(new ReadsHost())
                .start()) {
            ended = server;
            publishOnTerms(server);
            readBack(server);
            publishBatches(server);
            publishABatchInARequest(server);
            publishAtAPace(server);
            publishInARequest(server);
            server.publish("inbox.ann", "kept");
            try (Client first = new Client(server, "/ws?as=ann");
                    Client second = new Client(server, "/ws?as=ann");
                    Client bob = new Client(server, "/ws?as=bob")) {
                bob.send("go");
                Check.equal("broadcast inbox.ann", bob.next(), "what they receive");
                Check.equal("kept", first.next(), "from the beginning");
                Check.equal("kept", second.next(), "from the beginning");
                ChannelPresence present = server.presence("inbox.ann").join().orElseThrow();
                ChannelPresence.Member ann = present.members().orElseThrow().get(0);
                Check.equal("ann 2", ann.user() + " " + ann.connections(), "one user with two connections");
                Check.equal(Optional.of("{\"n\":1}"), ann.info(), "what the host says of it");
                Check.that(present.count() == 1 && present.offset() == 1, "at this moment");
                Check.equal(1L, server.channel("inbox.ann").join().orElseThrow().members(), "members");
            }
            for (int n = 0; n < 1_000; n++) {
                last.add(Check.patiently(() -> server.history("a", HistoryQuery.ALL)));
            }
        }
        // No answer is left out.
        for (CompletableFuture<Optional<ChannelHistory>> answer : last) {
            try {
                Check.that(answer.get(Check.PATIENCE.toSeconds(), TimeUnit.SECONDS).isPresent(), "a page");
            } catch (ExecutionException problem) {
                Check.that(problem.getCause() instanceof ServerStoppedException, problem.toString());
            }
        }
        Check.thrown(IllegalStateException.class, "closed", () -> ended.channel("a"));
    }
}
