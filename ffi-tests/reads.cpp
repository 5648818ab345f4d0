// Publishing on terms, and what a host can ask about: waiting for it, and in callbacks.
#include <iostream>

#include "wspush.hpp"

static void holds(bool truth, const char *what) {
  if (truth) return;
  std::cerr << what << std::endl;
  std::exit(1);
}

static wspush::Config config() {
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
  config.set("log_publications", 4).set("channel_rule", "room.* presence=true,inbox.* presence=true");
  return config;
}

// Asks, and waits for the answer.
template <typename T, typename Ask> wspush::Answer<T> ask(Ask put) {
  wspush::Promise<T> promise;
  put(std::move(promise.take));
  return promise.answer.get();
}

template <typename Call> int refusal(Call call) {
  try {
    call();
  } catch (const wspush::Error &error) {
    return error.status();
  }
  return 0;
}

static void publish_on_terms(const wspush::Server &server) {
  wspush::Terms once;
  once.idempotency_key = "order-17";
  wspush::Published first = server.publish_to({"a", "b"}, "one", once);
  wspush::Published again = server.publish_to({"a", "b"}, "one", once);
  holds(!first.duplicate && again.duplicate && first.receipts.size() == 2, "it is published once");
  holds(again.receipts[1].id == first.receipts[1].id, "the receipts are the first ones");
  holds(refusal([&] { server.publish_to({"a"}, "one", once); }) == WSPUSH_EREUSED, "a key stands for one thing");
  once.idempotency_key = std::string_view();
  holds(refusal([&] { server.publish_to({"a"}, "one", once); }) == WSPUSH_EINVAL, "an empty key is none");
  wspush::Terms behind;
  behind.if_offset = 7;
  try {
    server.publish_to({"b"}, "two", behind);
    holds(false, "no conflict");
  } catch (const wspush::Conflict &conflict) {
    holds(conflict.channel == "b" && conflict.offset == 1 && conflict.epoch == first.receipts[1].epoch, "a place");
  }
  behind.if_offset = 1;
  server.publish_to({"a"}, wspush::Message::binary("\0\xff", 2), behind);
}

static void publish_in_a_request(const wspush::Server &server) {
  wspush::Terms traced;
  traced.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  wspush::Published published = server.publish_to({"traced"}, "x", traced);
  holds(published.traceparent == traced.traceparent, "the request is in the outcome");
  holds(published.receipts[0].traceparent == traced.traceparent.data(), "and in the receipt");
  traced.traceparent.remove_suffix(1);
  published = server.publish_to({"traced"}, "x", traced);
  holds(published.traceparent.empty() && !published.receipts[0].traceparent, "half a request is none");
  holds(server.publish_to({"traced"}, "x").traceparent.empty(), "there is none");
}

static void publish_a_batch_in_a_request(const wspush::Server &server) {
  using wspush::BatchItem;
  std::vector<BatchItem> items{BatchItem::user("ann", "to her"), BatchItem::channel("batch", "x")};
  wspush::Terms traced;
  traced.idempotency_key = "traced batch";
  traced.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  for (bool is_again : {false, true}) {
    wspush::PublishedBatch batch = server.publish_batch(items, traced);
    holds(batch.duplicate == is_again && batch.receipts[1]->offset == 1, "once");
    holds(batch.traceparent == traced.traceparent, "the request is in the outcome");
    holds(batch.receipts[1]->traceparent == traced.traceparent.data(), "and in the receipt");
  }
  wspush::Terms other = traced;
  other.if_offset = 1;
  holds(refusal([&] { server.publish_batch(items, other); }) == WSPUSH_EINVAL, "no offset of a batch");
  other = traced, other.rate = 5;
  holds(refusal([&] { server.publish_batch(items, other); }) == WSPUSH_EINVAL, "a pace is an item's");
  wspush::PublishedBatch batch = server.publish_batch(items);
  holds(batch.traceparent.empty() && !batch.receipts[1]->traceparent, "there is none");
  holds(batch.receipts[1]->offset == 2, "what was refused has taken no place");
}

static void publish_at_a_pace(const wspush::Server &server) {
  wspush::Terms slowly;
  slowly.rate = 5;
  holds(server.publish_to({"paced"}, "x", slowly).receipts[0].offset == 1, "a rate");
  slowly.deadline = std::chrono::seconds(1);
  holds(refusal([&] { server.publish_to({"paced"}, "x", slowly); }) == WSPUSH_EINVAL, "a rate and a deadline");
  slowly.rate.reset();
  holds(server.publish_to({"paced"}, "x", slowly).receipts[0].offset == 2, "a deadline");
  slowly.deadline = std::chrono::milliseconds(0);
  holds(refusal([&] { server.publish_to({"paced"}, "x", slowly); }) == WSPUSH_EINVAL, "no deadline is none");
  using wspush::BatchItem;
  holds(server.publish_batch({BatchItem::channel("paced", "x").rate(7)}).receipts[0]->offset == 3, "an item's rate");
  holds(refusal([&] { server.publish_batch({BatchItem::channel("paced", "x").rate(0)}); }) == WSPUSH_EINVAL, "no rate");
  holds(refusal([&] { server.publish_batch({BatchItem::user("ann", "x").rate(7)}); }) == WSPUSH_EINVAL, "of one user");
}

static void publish_batches(const wspush::Server &server) {
  using wspush::BatchItem;
  std::vector<BatchItem> items{BatchItem::channel("batched", "one"), BatchItem::user("ann", "to her"),
                               BatchItem::conn(77, wspush::Message::binary("\0\xff", 2).uncompressed()),
                               BatchItem::channel("batched", "two")};
  wspush::PublishedBatch first = server.publish_batch(items, "batch-1");
  wspush::PublishedBatch again = server.publish_batch(items, "batch-1");
  holds(!first.duplicate && again.duplicate && again.receipts[3]->id == first.receipts[3]->id, "it is published once");
  holds(first.receipts[0]->offset == 1 && first.receipts[3]->offset == 2, "places in the log");
  holds(first.receipts.size() == 4 && !first.receipts[1] && !first.receipts[2], "no places in a log");
  items.push_back(BatchItem::user({}, "nobody"));
  try {
    server.publish_batch(items);
    holds(false, "a bad item");
  } catch (const wspush::BadItem &bad) {
    holds(bad.index == 4 && bad.status() == WSPUSH_EINVAL, "which one it is");
    holds(std::string(bad.what()).find("items[4]: ") != std::string::npos, "and that is said");
  }
  items.pop_back();
  items.push_back(BatchItem::channel("", "nowhere"));
  holds(refusal([&] { server.publish_batch(items); }) == WSPUSH_ECHANNEL, "an empty name is none");
  holds(refusal([&] { server.publish_batch({}); }) == WSPUSH_EINVAL, "an empty batch");
  holds(refusal([&] { server.publish_batch({items[0]}, "batch-1"); }) == WSPUSH_EREUSED, "one thing for a key");
  holds(refusal([&] { server.publish_batch({items[0]}, std::string_view()); }) == WSPUSH_EINVAL, "an empty key");
  holds(server.publish_batch({items[0]}).receipts[0]->offset == 3, "what was refused has taken no place");
}

static void read_back(const wspush::Server &server) {
  using namespace wspush;
  for (int n = 3; n <= 6; n++) server.publish("a", "more");
  HistoryQuery query;
  query.limit = 2, query.newest_first = true;
  auto page = ask<History>([&](auto take) { server.history("a", query, std::move(take)); });
  holds(page && page->publications.size() == 2 && page->publications[0].offset == 6 && !page->missed, "the newest");
  std::string since = std::to_string(page->channel.epoch) + ".1";
  query.since = since, query.newest_first = false;
  page = ask<History>([&](auto take) { server.history("a", query, std::move(take)); });
  holds(page->publications[0].offset == 3 && page->publications[0].message().data == "more", "those behind it");
  holds(page->missed && page->missed->first == 2 && page->missed->second == 2, "and what is gone");
  page = ask<History>([&](auto take) { server.history("none", {}, std::move(take)); });
  holds(!page && page.status() == WSPUSH_ENOTFOUND, "no such channel");
  holds(refusal([&] { page.value(); }) == WSPUSH_ENOTFOUND, "and nothing to see there");
  auto list = ask<Channels>([&](auto take) { server.channels("", std::move(take), 0, 2); });
  holds(list->channels.size() == 2 && list->next != 0, "a page");
  uint64_t next = list->next;
  list = ask<Channels>([&](auto take) { server.channels("", std::move(take), next, 2); });
  holds(list->channels.size() == 1 && list->next == 0 && list->channels[0].name == "b", "the last page");
  uint64_t epoch = list->channels[0].epoch;
  auto info = ask<ChannelInfo>([&](auto take) { server.forget_history("b", std::move(take)); });
  holds(info->offset == 0 && info->first == 1 && info->epoch != epoch, "forgotten");
  info = ask<ChannelInfo>([&](auto take) { server.channel("a", std::move(take)); });
  holds(info->offset == 6 && info->first == 3 && info->subscribers == 0 && info->bytes > 0, "how it stands");
  auto nobody = ask<Presence>([&](auto take) { server.presence("a", std::move(take)); });
  holds(!nobody && nobody.status() == WSPUSH_ENOTFOUND, "it has no presence");
  server.publish("room.1", "x");
  auto present = ask<Presence>([&](auto take) { server.presence("room.1", std::move(take)); });
  holds(present->channel == "room.1" && present->offset == 1 && present->count == 0, "nobody is there");
  holds(present->members && present->members->empty(), "and listed");
  bool called = false;
  auto take = [&](const auto &, const auto &) { called = true; };
  query.since = "now";
  holds(refusal([&] { server.history("a", query, take); }) == WSPUSH_EINVAL, "no beginning");
  holds(refusal([&] { server.channel("", take); }) == WSPUSH_ECHANNEL && !called, "nobody is called");
}

// One that nobody drives any more answers everybody, before it is gone.
static void the_end() {
  int answers = 0;
  {
    wspush::Server server(config());
    for (int n = 0; n < 50; n++)
      server.history("broadcast", {}, [&answers](const auto &, const wspush::Answer<wspush::History> &page) {
        answers++;
        holds(page || page.status() == WSPUSH_ESTOPPED, "an answer or the end");
      });
    holds(answers == 0, "nothing runs before it is polled");
  }
  holds(answers == 50, "everybody is answered");
}

int main() {
  the_end();
  wspush::Callbacks callbacks;
  std::promise<void> thrown;
  callbacks.on_connect = [](wspush::Handle, wspush::Connect &connect) {
    connect.accept().user(connect.query("as").value()).info("{\"n\":1}");
  };
  callbacks.on_message = [](wspush::Handle handle, wspush::Session &session, wspush::Message) {
    uint64_t conn = session.id();
    // Asked in a callback, and again in the answer.
    auto take = [conn](wspush::Handle server, const wspush::Answer<wspush::UserConnections> &page) {
      holds(page->connections.size() == 1 && page->next == page->connections[0].id, "one of two");
      server.subscribe_user("ann", "inbox.ann", "earliest");
      auto rest = [conn](wspush::Handle there, const wspush::Answer<wspush::UserConnections> &both) {
        holds(both->connections.size() == 2 && both->next == 0, "both");
        holds(both->connections[1].channels.back() == "inbox.ann", "and what they receive");
        there.send(conn, "asked");
        there.close(conn, 4000);
        there.presence("inbox.ann", [](wspush::Handle, const wspush::Answer<wspush::Presence> &present) {
          holds(present->count == 1 && present->members->size() == 1, "one user");
          const wspush::Member &ann = present->members->front();
          holds(ann.user == "ann" && ann.info == "{\"n\":1}" && ann.connections == 2, "with two connections");
          throw std::runtime_error("on purpose");
        });
      };
      server.user_connections("ann", rest);
    };
    handle.user_connections("ann", take, 0, 1);
  };
  callbacks.on_exception = [&thrown](std::exception_ptr) { thrown.set_value(); };
  wspush::Server server(config(), std::move(callbacks));
  server.start();
  publish_on_terms(server);
  read_back(server);
  publish_batches(server);
  publish_a_batch_in_a_request(server);
  publish_at_a_pace(server);
  publish_in_a_request(server);
  std::cout << "port " << server.port() << std::endl;
  thrown.get_future().wait();
  server.stop(2000);
  std::cout << "all is answered" << std::endl;
}
