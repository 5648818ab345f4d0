/*
 * The values of wspush.hpp: errors, messages, and the answers to questions. Included by that, not by you.
 */
#ifndef WSPUSH_VALUES_HPP
#define WSPUSH_VALUES_HPP

#include "wspush.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wspush {

/// The ways that publications go to a client.
enum class Transport : int32_t {
  ws = WSPUSH_TRANSPORT_WS,
  sse = WSPUSH_TRANSPORT_SSE,
  stream = WSPUSH_TRANSPORT_STREAM,
  poll = WSPUSH_TRANSPORT_POLL,
};

/// Its name in the settings; empty for one that this header does not know.
inline const char *name_of(Transport transport) noexcept {
  switch (transport) {
  case Transport::ws: return "ws";
  case Transport::sse: return "sse";
  case Transport::stream: return "stream";
  case Transport::poll: return "poll";
  }
  return "";
}

/// What went wrong: `status()` is a WSPUSH_E code, `what()` the details.
class Error : public std::runtime_error {
public:
  explicit Error(wspush_status status)
      : std::runtime_error(std::string(wspush_strerror(status)) + ": " + wspush_last_error()), status_(status) {}
  Error(wspush_status status, const std::string &what) : std::runtime_error(what), status_(status) {}

  wspush_status status() const noexcept { return status_; }

private:
  wspush_status status_;
};

/// The newest publication of a channel is not the one that was expected (WSPUSH_ECONFLICT): this is how it stands.
class Conflict : public Error {
public:
  explicit Conflict(const wspush_conflict &at)
      : Error(WSPUSH_ECONFLICT), channel(at.channel.data, at.channel.length), epoch(at.epoch), offset(at.offset) {}

  std::string channel;
  /// 0: there is no such channel.
  uint64_t epoch;
  /// 0: none yet.
  uint64_t offset;
};

/// An item of a batch is not right, and nothing of the batch was published.
class BadItem : public Error {
public:
  BadItem(const Error &error, std::size_t index_) : Error(error), index(index_) {}

  /// Which, from 0 on.
  std::size_t index;
};

/// Throws unless `status` is a success, which it returns.
inline wspush_status check(wspush_status status) {
  if (status == WSPUSH_ECONFLICT) {
    wspush_conflict conflict{};
    conflict.struct_size = sizeof conflict;
    if (wspush_last_conflict(&conflict) == WSPUSH_OK) throw Conflict(conflict);
  }
  if (status < 0) throw Error(status);
  return status;
}
namespace detail {
inline std::string_view view(wspush_str text) noexcept { return {text.data, text.length}; }

/// Nothing for WSPUSH_ENOTFOUND, what was found for a success.
inline std::optional<std::string_view> found(wspush_status status, const wspush_str &text) {
  if (status == WSPUSH_ENOTFOUND) return std::nullopt;
  check(status);
  return view(text);
}
} // namespace detail
/// A message: text unless it is made with `binary`. Borrows its bytes.
struct Message {
  int32_t kind;
  std::string_view data;

  Message(std::string_view text) noexcept : kind(WSPUSH_TEXT), data(text) {}
  Message(const std::string &text) noexcept : Message(std::string_view(text)) {}
  Message(const char *text) : Message(std::string_view(text)) {}
  Message(int32_t kind_, std::string_view data_) noexcept : kind(kind_), data(data_) {}

  static Message binary(std::string_view bytes) noexcept { return {WSPUSH_BINARY, bytes}; }
  /// The same message, never compressed on its way out.
  Message uncompressed() const noexcept { return {kind | WSPUSH_UNCOMPRESSED, data}; }
  static Message binary(const void *bytes, std::size_t length) noexcept {
    return binary({static_cast<const char *>(bytes), length});
  }
  bool is_text() const noexcept { return (kind & ~WSPUSH_UNCOMPRESSED) == WSPUSH_TEXT; }
};
/// A piece of a message: of a text whole characters; only the last one may be empty. All are of one kind.
struct Fragment {
  int32_t kind;
  std::string_view data;
  /// Whether the message goes on.
  bool more;

  static Fragment text(std::string_view text, bool more) noexcept { return {WSPUSH_TEXT, text, more}; }
  static Fragment binary(std::string_view bytes, bool more) noexcept { return {WSPUSH_BINARY, bytes, more}; }
  bool is_text() const noexcept { return kind == WSPUSH_TEXT; }
};
/// How a client's messages are handed over.
enum class Pieces : int32_t {
  off = WSPUSH_PIECES_OFF,
  /// As they come; a message has at most `message_bytes_max` bytes.
  bounded = WSPUSH_PIECES_BOUNDED,
  unbounded = WSPUSH_PIECES_UNBOUNDED,
};
/// The terms of a publication, or of a batch; without any it is a plain one.
struct Terms {
  /// A repetition of it within five minutes publishes nothing, and has the first receipts.
  std::optional<std::string_view> idempotency_key{};
  /// Only if this is the offset of each channel's newest publication (0: none yet), else `Conflict` is thrown.
  std::optional<uint64_t> if_offset{};
  /// So many subscribers of each channel are written to a second.
  std::optional<uint64_t> rate{};
  /// All subscribers are written to within this time, evenly; not beside `rate`.
  std::optional<std::chrono::milliseconds> deadline{};
  /// The request that it is part of (W3C Trace Context): in the receipts, and in the log if it is sampled.
  std::string_view traceparent{};
};
namespace detail {
/// What there is of an optional number; 0 is an error there, and none in C.
inline uint64_t some(uint64_t number) noexcept { return number ? number : UINT64_MAX; }
inline uint64_t some(std::chrono::milliseconds time) noexcept {
  return time.count() > 0 ? static_cast<uint64_t>(time.count()) : UINT64_MAX;
}
inline wspush_terms terms(const Terms &terms) noexcept {
  wspush_terms asked{};
  asked.struct_size = sizeof asked;
  std::string_view key = terms.idempotency_key.value_or(std::string_view());
  // An empty key is an error, not none.
  if (terms.idempotency_key) asked.idempotency_key = key.data() ? key.data() : "";
  asked.idempotency_key_length = key.size();
  asked.has_if_offset = terms.if_offset.has_value();
  asked.if_offset = terms.if_offset.value_or(0);
  if (terms.rate) asked.rate = some(*terms.rate);
  if (terms.deadline) asked.deadline_ms = some(*terms.deadline);
  if (!terms.traceparent.empty()) asked.traceparent = terms.traceparent.data();
  asked.traceparent_length = terms.traceparent.size();
  return asked;
}
} // namespace detail
/// Where a publication to several channels stands.
struct Published {
  /// One for each channel.
  std::vector<wspush_receipt> receipts;
  /// It was published before, under the same key.
  bool duplicate;
  /// The request that it is part of, as the terms have it; empty as well if that is not valid. The receipts have it too,
  /// as long as the text of the terms lives.
  std::string traceparent{};
};

/// One of several messages that are published at once. Borrows its bytes.
class BatchItem {
public:
  /// The channel of everybody is `broadcast`.
  static BatchItem channel(std::string_view channel, Message message) noexcept {
    BatchItem item(message);
    item.raw_.channel = some(channel);
    return item;
  }
  /// To all connections that it has when its turn comes.
  static BatchItem user(std::string_view user, Message message) noexcept {
    BatchItem item(message);
    item.raw_.user = some(user);
    return item;
  }
  static BatchItem conn(uint64_t conn, Message message) noexcept {
    BatchItem item(message);
    item.raw_.conn = conn;
    return item;
  }
  /// The same item at a pace, for a channel.
  BatchItem rate(uint64_t per_second) const noexcept {
    BatchItem item(*this);
    item.raw_.rate = detail::some(per_second);
    return item;
  }
  BatchItem deadline(std::chrono::milliseconds time) const noexcept {
    BatchItem item(*this);
    item.raw_.deadline_ms = detail::some(time);
    return item;
  }
  const wspush_batch_item *get() const noexcept { return &raw_; }

private:
  explicit BatchItem(Message message) noexcept : raw_{} {
    raw_.struct_size = sizeof raw_;
    raw_.data = message.data.data(), raw_.length = message.data.size(), raw_.kind = message.kind;
  }
  /// An empty name is an error, not none.
  static wspush_str some(std::string_view name) noexcept { return {name.data() ? name.data() : "", name.size()}; }

  wspush_batch_item raw_;
};
static_assert(sizeof(BatchItem) == sizeof(wspush_batch_item), "several of them are an array for the C ABI");
/// Where the items of a batch stand.
struct PublishedBatch {
  /// One for each item; none for what goes to a user or a connection, which has no place in a log.
  std::vector<std::optional<wspush_receipt>> receipts;
  /// The batch was published before, under the same key.
  bool duplicate;
  /// As in `Published`.
  std::string traceparent{};
};
namespace detail {
inline PublishedBatch publish_batch(const wspush_server *server, const std::vector<BatchItem> &items,
                                    const Terms &terms) {
  wspush_receipt nowhere{};
  nowhere.struct_size = sizeof nowhere;
  std::vector<wspush_receipt> receipts(items.size(), nowhere);
  wspush_terms asked = detail::terms(terms);
  const wspush_batch_item *first = items.empty() ? nullptr : items.front().get();
  wspush_status status = wspush_publish_batch_on(server, first, items.size(), &asked, receipts.data());
  if (status < 0) {
    Error error(status);
    std::size_t index = 0;
    if (wspush_last_bad_item(&index) == WSPUSH_OK) throw BadItem(error, index);
    throw error;
  }
  bool is_traced = !receipts.empty() && receipts[0].traceparent;
  PublishedBatch batch{{}, status == WSPUSH_DUPLICATE, std::string(is_traced ? terms.traceparent : "")};
  for (const wspush_receipt &receipt : receipts)
    batch.receipts.push_back(receipt.id ? std::optional(receipt) : std::nullopt);
  return batch;
}
} // namespace detail

/// How a channel stands.
struct ChannelInfo {
  std::string name;
  uint64_t epoch = 0;
  /// The newest publication; 0: none yet.
  uint64_t offset = 0;
  /// The oldest one that it has; the next one if it has none.
  uint64_t first = 0;
  uint64_t bytes = 0;
  uint64_t subscribers = 0;
  /// Users who are there, if it has presence.
  uint64_t members = 0;
};
/// A page of channels.
struct Channels {
  std::vector<ChannelInfo> channels;
  /// For the next page; 0: that was all.
  uint64_t next = 0;
};
/// A publication that was.
struct Publication {
  uint64_t offset;
  /// Milliseconds since 1970.
  uint64_t time_ms;
  int32_t kind;
  std::string data;

  Message message() const noexcept { return {kind, data}; }
};
/// A page of a channel's publications.
struct History {
  ChannelInfo channel;
  std::vector<Publication> publications;
  /// The first and the last one of those that were asked for and are gone.
  std::optional<std::pair<uint64_t, uint64_t>> missed;
};
/// Which publications to read.
struct HistoryQuery {
  /// `E.O` (behind it), `earliest`, `last:N`, `time:UNIX_MS`, `latest` or `head`.
  std::string_view since = "earliest";
  /// 1 to 1,000.
  uint32_t limit = 100;
  bool newest_first = false;
};
/// A user who is in a channel, once however many connections it has there.
struct Member {
  std::string user;
  /// JSON: what its token or the host says of it.
  std::optional<std::string> info;
  /// 0: the last one was lost, and it may be back at once.
  uint64_t connections;
};
/// Who is in a channel, at the moment of its newest publication.
struct Presence {
  std::string channel;
  uint64_t epoch = 0;
  uint64_t offset = 0;
  uint64_t count = 0;
  /// In the order of the names; nothing: they are too many to be listed (`presence_members_max`).
  std::optional<std::vector<Member>> members;
};
/// A page of a user's connections.
struct UserConnections {
  struct Connection {
    uint64_t id;
    std::vector<std::string> channels;
  };
  std::vector<Connection> connections;
  /// For the next page; 0: that was all.
  uint64_t next = 0;
};
/// A server of a cluster.
struct NodeInfo {
  std::string name, run, version;
  uint64_t since_ms = 0, connections = 0, lag_ms = 0, lease_ms = 0;
};
/// An answer, or why there is none: WSPUSH_ENOTFOUND (no such channel), WSPUSH_EAGAIN, WSPUSH_ESTOPPED.
template <typename T> class Answer {
public:
  explicit Answer(wspush_status status) noexcept : status_(status) {}
  explicit Answer(T value) : status_(WSPUSH_OK), value_(std::move(value)) {}

  wspush_status status() const noexcept { return status_; }
  explicit operator bool() const noexcept { return value_.has_value(); }
  /// Throws if there is none.
  const T &value() const {
    if (!value_) throw Error(status_, wspush_strerror(status_));
    return *value_;
  }
  const T &operator*() const { return value(); }
  const T *operator->() const { return &value(); }

private:
  wspush_status status_;
  std::optional<T> value_;
};

namespace detail {
inline ChannelInfo read_channel(const wspush_answer *answer, std::size_t index = 0) {
  wspush_channel_info info{};
  info.struct_size = sizeof info;
  if (wspush_answer_channel(answer, index, &info) != WSPUSH_OK) return {};
  return {std::string(view(info.name)), info.epoch, info.offset, info.first, info.bytes, info.subscribers,
          info.members};
}
inline ChannelInfo read(const wspush_answer *answer, ChannelInfo *) { return read_channel(answer); }

inline Channels read(const wspush_answer *answer, Channels *) {
  Channels page;
  for (std::size_t n = 0;; n++) {
    ChannelInfo info = read_channel(answer, n);
    if (info.name.empty()) break;
    page.channels.push_back(std::move(info));
  }
  wspush_answer_next(answer, &page.next);
  return page;
}

inline History read(const wspush_answer *answer, History *) {
  History page{read_channel(answer), {}, std::nullopt};
  wspush_publication past{};
  past.struct_size = sizeof past;
  for (std::size_t n = 0; wspush_answer_publication(answer, n, &past) == WSPUSH_OK; n++)
    page.publications.push_back({past.offset, past.time_ms, static_cast<int32_t>(past.kind),
                                 std::string(static_cast<const char *>(past.data), past.length)});
  uint64_t from = 0, to = 0;
  if (wspush_answer_missed(answer, &from, &to) == WSPUSH_OK) page.missed.emplace(from, to);
  return page;
}

inline Presence read(const wspush_answer *answer, Presence *) {
  wspush_presence_info info{};
  info.struct_size = sizeof info;
  if (wspush_answer_presence(answer, &info) != WSPUSH_OK) return {};
  Presence found{std::string(view(info.channel)), info.epoch, info.offset, info.count, std::nullopt};
  if (!info.listed) return found;
  found.members.emplace();
  wspush_member member{};
  member.struct_size = sizeof member;
  for (std::size_t n = 0; wspush_answer_member(answer, n, &member) == WSPUSH_OK; n++) {
    std::optional<std::string> said;
    if (member.info.length > 0) said = view(member.info);
    found.members->push_back({std::string(view(member.user)), std::move(said), member.connections});
  }
  return found;
}

inline std::vector<NodeInfo> read(const wspush_answer *answer, std::vector<NodeInfo> *) {
  std::vector<NodeInfo> nodes;
  wspush_node node{};
  node.struct_size = sizeof node;
  for (std::size_t n = 0; wspush_answer_node(answer, n, &node) == WSPUSH_OK; n++) {
    nodes.push_back({std::string(view(node.name)), std::string(view(node.run)), std::string(view(node.version)),
                     node.since_ms, node.connections, node.lag_ms, node.lease_ms});
  }
  return nodes;
}
inline UserConnections read(const wspush_answer *answer, UserConnections *) {
  UserConnections page;
  uint64_t id = 0;
  for (std::size_t n = 0; wspush_answer_connection(answer, n, &id) == WSPUSH_OK; n++) {
    page.connections.push_back({id, {}});
    wspush_str name{};
    for (std::size_t m = 0; wspush_answer_connection_channel(answer, n, m, &name) == WSPUSH_OK; m++)
      page.connections.back().channels.emplace_back(view(name));
  }
  wspush_answer_next(answer, &page.next);
  return page;
}
} // namespace detail

class Handle;
/// Takes an answer: called once, on the server's thread, where it must not block. What it throws goes to
/// `Callbacks::on_exception`. When the server has been destroyed in a callback it is not called any more.
template <typename T> using OnAnswer = std::function<void(Handle, const Answer<T> &)>;

/// For a thread that may wait: `take` is for the question, and `answer` has what comes of it. Never wait in a callback.
template <typename T> struct Promise {
  OnAnswer<T> take;
  std::future<Answer<T>> answer;

  Promise() : Promise(std::make_shared<std::promise<Answer<T>>>()) {}

private:
  explicit Promise(std::shared_ptr<std::promise<Answer<T>>> promise)
      : take([promise](const auto &, const Answer<T> &given) { promise->set_value(given); }),
        answer(promise->get_future()) {}
};

} // namespace wspush

#endif // WSPUSH_VALUES_HPP
