/*
 * wspush for C++17: the C ABI (wspush.h) with owners, views and functions. Header only.
 *
 * Errors are exceptions (wspush::Error), because most of them are mistakes that no caller can go on from (a wrong
 * setting, a taken port, a text that is not UTF-8), and because constructors have no other way. Where an error is
 * part of the day's work, pushing into a full inbox, there are the noexcept try_ functions, which return the status.
 *
 * A Message's and a callback's std::string_view is borrowed for the call. Threads: as in wspush.h.
 */
#ifndef WSPUSH_HPP
#define WSPUSH_HPP

#if __cplusplus < 201703L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 201703L)
#error "wspush.hpp needs C++17 (-std=c++17); wspush.h has the same for C and every C++"
#else

#include "wspush.h"
#include "wspush_host.hpp"
#include "wspush_session.hpp"
#include "wspush_values.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace wspush {
namespace detail {
struct Host;
struct RouteSpec;
}
class Endpoint;
/// Settings by name, and routes.
class Config {
public:
  Config() {
    wspush_config *config = nullptr;
    check(wspush_config_new(&config));
    config_.reset(config);
  }
  /// Adds a route to the servers that are made with this: whoever asks for a path that `pattern` takes (`/chat`,
  /// `/chat/{room}`, or with a star for all below) is for these callbacks, whose `on_log` is not used. Its number, from 0 on.
  uint32_t route(std::string_view pattern, Callbacks callbacks, RouteTerms terms = {});
  /// The same for an object, which all servers share that are made with this.
  uint32_t route(std::string_view pattern, std::shared_ptr<Endpoint> endpoint, RouteTerms terms = {});
  Config &set(std::string_view name, std::string_view value) {
    check(wspush_config_set(get(), name.data(), name.size(), value.data(), value.size()));
    return *this;
  }
  Config &set(std::string_view name, const char *value) { return set(name, std::string_view(value)); }
  template <typename Int, std::enable_if_t<std::is_integral_v<Int>, int> = 0>
  Config &set(std::string_view name, Int value) {
    check(wspush_config_set_int(get(), name.data(), name.size(), static_cast<int64_t>(value)));
    return *this;
  }
  /// The ways that clients may be pushed to; all of them unless it is set.
  Config &transports(std::initializer_list<Transport> transports) {
    std::string names;
    for (Transport transport : transports) names.append(names.empty() ? "" : ",").append(name_of(transport));
    return set("transports", names);
  }
  Config &load(std::string_view path) {
    check(wspush_config_load(get(), path.data(), path.size()));
    return *this;
  }
  wspush_config *get() const noexcept { return config_.get(); }

private:
  friend class Server;
  struct Free {
    void operator()(wspush_config *config) const noexcept { wspush_config_free(config); }
  };
  std::unique_ptr<wspush_config, Free> config_;
  std::vector<std::shared_ptr<detail::RouteSpec>> routes_;
};

/// Pushes into a server, from any thread. Does not own it, and must not outlive it.
class Handle {
public:
  explicit Handle(wspush_server *server = nullptr, detail::Host *host = nullptr) noexcept
      : server_(server), host_(host) {}

  wspush_status try_broadcast(Message m, wspush_receipt *receipt = nullptr) const noexcept {
    return wspush_broadcast(server_, m.kind, m.data.data(), m.data.size(), receipt);
  }
  wspush_status try_publish(std::string_view channel, Message m, wspush_receipt *receipt = nullptr) const noexcept {
    return wspush_publish(server_, channel.data(), channel.size(), m.kind, m.data.data(), m.data.size(), receipt);
  }
  wspush_status try_send(uint64_t conn, Message m) const noexcept {
    return wspush_send(server_, conn, m.kind, m.data.data(), m.data.size());
  }
  wspush_status try_publish_user(std::string_view user, Message m) const noexcept {
    return wspush_publish_user(server_, user.data(), user.size(), m.kind, m.data.data(), m.data.size());
  }

  wspush_receipt broadcast(Message message) const {
    wspush_receipt receipt = sized<wspush_receipt>();
    check(try_broadcast(message, &receipt));
    return receipt;
  }
  wspush_receipt publish(std::string_view channel, Message message) const {
    wspush_receipt receipt = sized<wspush_receipt>();
    check(try_publish(channel, message, &receipt));
    return receipt;
  }
  /// To each of these channels, or, with an exception, to none.
  Published publish_to(const std::vector<std::string_view> &channels, Message m, const Terms &terms = {}) const {
    std::vector<wspush_str> names;
    for (std::string_view name : channels) names.push_back({name.data(), name.size()});
    std::vector<wspush_receipt> receipts(channels.size(), sized<wspush_receipt>());
    wspush_terms asked = detail::terms(terms);
    wspush_status status = check(wspush_publish_to(server_, names.data(), names.size(), m.kind, m.data.data(),
                                                   m.data.size(), &asked, receipts.data()));
    bool is_traced = !receipts.empty() && receipts[0].traceparent;
    return {std::move(receipts), status == WSPUSH_DUPLICATE, std::string(is_traced ? terms.traceparent : "")};
  }
  /// Each item to a target of its own: all of them, or, with an exception (`BadItem` for one that is not right), none.
  PublishedBatch publish_batch(const std::vector<BatchItem> &items,
                               std::optional<std::string_view> idempotency_key = {}) const {
    Terms terms;
    terms.idempotency_key = idempotency_key;
    return detail::publish_batch(server_, items, terms);
  }
  /// On the terms that a batch can have: a key, and the request that all of it is part of.
  PublishedBatch publish_batch(const std::vector<BatchItem> &items, const Terms &terms) const {
    return detail::publish_batch(server_, items, terms);
  }
  /// How a channel stands.
  void channel(std::string_view name, OnAnswer<ChannelInfo> take) const;
  /// Which channels there are whose names begin so; `after` is a page's `next`.
  void channels(std::string_view prefix, OnAnswer<Channels> take, uint64_t after = 0, uint32_t limit = 100) const;
  /// The publications that a channel has.
  void history(std::string_view channel, const HistoryQuery &query, OnAnswer<History> take) const;
  /// Who is in a channel.
  void presence(std::string_view channel, OnAnswer<Presence> take) const;
  /// Lets a channel forget them: how it stands then.
  void forget_history(std::string_view channel, OnAnswer<ChannelInfo> take) const;
  /// Which connections a user has; `after` is a page's `next`.
  void user_connections(std::string_view user, OnAnswer<UserConnections> take, uint64_t after = 0,
                        uint32_t limit = 100) const;
  /// Which servers the cluster has, this one among them; WSPUSH_EINVAL: it is in none (setting `cluster`).
  void nodes(OnAnswer<std::vector<NodeInfo>> take) const;
  /// What is known of a session; the answer's status is WSPUSH_ENOTFOUND if it is not open any more.
  void session(uint64_t conn, OnAnswer<SessionInfo> take) const;
  /// Which sessions of a route are open (without one: of all paths); `after` is a page's `next`.
  void sessions(OnAnswer<Sessions> take, uint32_t route = WSPUSH_NO_ROUTE, uint64_t after = 0,
                uint32_t limit = 100) const;
  /// How many connections of a route are open.
  uint64_t online(uint32_t route) const {
    uint64_t count = 0;
    check(wspush_route_online(server_, route, &count));
    return count;
  }
  void send(uint64_t conn, Message message) const { check(try_send(conn, message)); }
  /// To all connections that a user has when its turn comes: to nobody if it is away.
  void publish_user(std::string_view user, Message message) const { check(try_publish_user(user, message)); }
  void disconnect_user(std::string_view user, uint16_t code = 1000, std::string_view reason = {}) const {
    check(wspush_disconnect_user(server_, user.data(), user.size(), code, reason.data(), reason.size()));
  }
  /// As disconnect_user, and refuses the tokens that the user has got by then.
  void revoke_user(std::string_view user, uint16_t code = 1008, std::string_view reason = {}) const {
    check(wspush_revoke_user(server_, user.data(), user.size(), code, reason.data(), reason.size()));
  }
  /// All connections that it has when its turn comes; not those to come.
  void subscribe_user(std::string_view user, std::string_view channel) const {
    check(wspush_subscribe_user(server_, user.data(), user.size(), channel.data(), channel.size()));
  }
  /// The same from there on, as in `subscribe`.
  void subscribe_user(std::string_view user, std::string_view channel, std::string_view since) const {
    check(wspush_subscribe_user_since(server_, user.data(), user.size(), channel.data(), channel.size(),
                                      since.data(), since.size()));
  }
  void unsubscribe_user(std::string_view user, std::string_view channel) const {
    check(wspush_unsubscribe_user(server_, user.data(), user.size(), channel.data(), channel.size()));
  }
  void close(uint64_t conn, uint16_t code = 1000, std::string_view reason = {}) const {
    check(wspush_close(server_, conn, code, reason.data(), reason.size()));
  }
  /// Lets in a client that waits (`Connect::pending`): `channels` are names separated by commas; `info` as there.
  void accept_pending(uint64_t conn, std::string_view user = {}, std::string_view channels = {},
                      bool broadcast = true, std::string_view info = {}) const {
    wspush_acceptance a = sized<wspush_acceptance>();
    a.user = user.data(), a.user_length = user.size();
    a.channels = channels.data(), a.channels_length = channels.size();
    a.info = info.data(), a.info_length = info.size(), a.no_broadcast = !broadcast;
    check(wspush_accept_pending_with(server_, conn, &a));
  }
  /// The same with all that there is to say.
  void accept_pending(uint64_t conn, const Acceptance &acceptance) const {
    detail::accept_pending(server_, conn, acceptance, nullptr);
  }
  /// And with a value that is kept at the connection: see Session::attribute.
  template <typename T> void accept_pending(uint64_t conn, const Acceptance &acceptance, T attribute) const {
    detail::accept_pending(server_, conn, acceptance,
                           std::unique_ptr<detail::Held>(detail::hold(std::move(attribute))));
  }
  /// Refuses a client that waits, perhaps with header fields.
  /// Says yes to a question of `on_authorize` that waits; without data to the one that it is by signature or sign-in.
  void authorize(uint64_t conn, uint64_t number, std::optional<std::string_view> data = std::nullopt) const {
    std::string_view text = data.value_or(std::string_view());
    check(wspush_authorize(server_, conn, number, text.data(), text.size()));
  }
  void refuse_authorization(uint64_t conn, uint64_t number, std::string_view reason) const {
    check(wspush_refuse_authorization(server_, conn, number, reason.data(), reason.size()));
  }
  void refuse_pending(uint64_t conn, uint16_t status, std::string_view reason, const Pairs &headers = {}) const {
    detail::refuse_pending(server_, conn, status, reason, headers);
  }
  void subscribe(uint64_t conn, std::string_view channel) const {
    check(wspush_subscribe(server_, conn, channel.data(), channel.size()));
  }
  /// From there on: `E.O`, `head`, `earliest`, `last:N`, `time:UNIX_MS` or `latest`.
  void subscribe(uint64_t conn, std::string_view channel, std::string_view since) const {
    check(wspush_subscribe_since(server_, conn, channel.data(), channel.size(), since.data(), since.size()));
  }
  void unsubscribe(uint64_t conn, std::string_view channel) const {
    check(wspush_unsubscribe(server_, conn, channel.data(), channel.size()));
  }
  /// A ping with at most 125 bytes, behind what was sent to a connection before. Its answer comes to `on_pong`, unless it
  /// is empty.
  void ping(uint64_t conn, std::string_view payload = {}) const {
    check(wspush_ping(server_, conn, payload.data(), payload.size()));
  }
  void pong(uint64_t conn, std::string_view payload = {}) const {
    check(wspush_pong(server_, conn, payload.data(), payload.size()));
  }
  /// As Session::idle_timeout and Session::message_bytes_max.
  void idle_timeout(uint64_t conn, uint64_t idle_ms) const {
    check(wspush_set_idle_timeout(server_, conn, idle_ms));
  }
  void message_bytes_max(uint64_t conn, uint64_t bytes) const {
    check(wspush_set_message_bytes_max(server_, conn, bytes));
  }
  /// Has a connection not read until `resume`.
  void pause(uint64_t conn) const { check(wspush_pause(server_, conn)); }
  void resume(uint64_t conn) const { check(wspush_resume(server_, conn)); }
  /// Has `on_drained` called when what was sent to a connection until now is with the kernel.
  void notify_drained(uint64_t conn) const { check(wspush_notify_drained(server_, conn)); }
  /// The next piece of a message; what waits for the client is the caller's to bound, with `notify_drained`.
  void send_fragment(uint64_t conn, Fragment piece) const { check(try_send_fragment(conn, piece)); }
  wspush_status try_send_fragment(uint64_t conn, Fragment f) const noexcept {
    return wspush_send_fragment(server_, conn, f.kind, f.more, f.data.data(), f.data.size());
  }

  wspush_stats stats() const {
    wspush_stats stats = sized<wspush_stats>();
    check(wspush_server_stats(server_, &stats));
    return stats;
  }
  /// How far a publication has come; nothing if that is not known (yet, or any more).
  std::optional<wspush_delivery> delivery(const wspush_receipt &receipt) const {
    wspush_delivery delivery = sized<wspush_delivery>();
    wspush_status status = wspush_server_delivery(server_, receipt.id, &delivery);
    if (status == WSPUSH_ENOTFOUND) return std::nullopt;
    check(status);
    return delivery;
  }
  void reload(const Config &config) const { check(wspush_server_reload(server_, config.get())); }
  /// Writes the logs into `state_file` while the server goes on.
  void save_state() const { check(wspush_server_save_state(server_)); }
  void drain(int64_t drain_ms = -1) const { check(wspush_server_drain(server_, drain_ms)); }

  wspush_server *get() const noexcept { return server_; }

private:
  template <typename T> static T sized() noexcept {
    T value{};
    value.struct_size = sizeof value;
    return value;
  }
  wspush_server *server_;
  detail::Host *host_;
};
/// The callbacks of a route as a class.
class Endpoint {
public:
  virtual ~Endpoint() = default;
  virtual void on_connect(Handle, Connect &) {}
  virtual void on_open(Handle, Session &) {}
  virtual void on_taken_over(Handle, Session &) {}
  virtual void on_message(Handle, Session &, Message) {}
  virtual void on_close(Handle, const Closed &) {}
  virtual void on_fragment(Handle, Session &, Fragment) {}
  virtual void on_drained(Handle, Session &) {}
  virtual void on_pong(Handle, Session &, std::string_view) {}
};

namespace detail {
/// A route that a configuration has.
struct RouteSpec {
  std::string pattern;
  RouteTerms terms;
  Callbacks callbacks;
};

/// A question that is under way.
template <typename T> struct Question {
  OnAnswer<T> take;
  Host *host;

  static void answered(void *data, wspush_server *server, wspush_status status,
                       const wspush_answer *answer) noexcept {
    std::unique_ptr<Question> question(static_cast<Question *>(data));
    Host *host = question->host;
    auto give = [&] {
      Answer<T> given = answer ? Answer<T>(read(answer, static_cast<T *>(nullptr))) : Answer<T>(status);
      question->take(Handle(server, host), given);
    };
    if (host) return guarded(*host, [&](Callbacks &) { give(); }, [] {});
    reported(give);
  }

  /// Asks; `ask` gets the function and what it is called with.
  template <typename Ask> static void put(OnAnswer<T> take, Host *host, Ask ask) {
    std::unique_ptr<Question> question(new Question{std::move(take), host});
    check(ask(answered, question.get()));
    question.release();
  }
};

/// The handle that a callback gets.
inline Handle handle(void *data, wspush_server *server) noexcept { return Handle(server, static_cast<Host *>(data)); }
inline void fail(wspush_session *s) noexcept { wspush_session_close(s, 1011, WSPUSH_STR("internal error")); }

inline wspush_callbacks trampolines(Host &host) noexcept {
  wspush_callbacks c{};
  c.struct_size = sizeof c;
  c.user_data = &host;
  if (host.callbacks.on_connect)
    c.on_connect = [](void *data, wspush_server *server, wspush_connect *connect) {
      guarded(
          *static_cast<Host *>(data),
          [&](Callbacks &h) { Connect asked(connect); h.on_connect(handle(data, server), asked); },
          [&] { wspush_connect_refuse(connect, 500, WSPUSH_STR("internal error")); });
    };
  if (host.callbacks.on_authorize)
    c.on_authorize = [](void *data, wspush_server *server, wspush_authorization *asked) {
      guarded(
          *static_cast<Host *>(data),
          [&](Callbacks &h) { Authorization shown(asked); h.on_authorize(handle(data, server), shown); },
          [&] { wspush_authorization_refuse(asked, WSPUSH_STR("internal error")); });
    };
  if (host.callbacks.on_open)
    c.on_open = [](void *data, wspush_server *server, wspush_session *session) {
      guarded(
          *static_cast<Host *>(data),
          [&](Callbacks &h) { Session shown(session); h.on_open(handle(data, server), shown); }, [&] { fail(session); });
    };
  if (host.callbacks.on_taken_over)
    c.on_taken_over = [](void *data, wspush_server *server, wspush_session *session) {
      guarded(
          *static_cast<Host *>(data),
          [&](Callbacks &h) { Session shown(session); h.on_taken_over(handle(data, server), shown); },
          [&] { fail(session); });
    };
  if (host.callbacks.on_message)
    c.on_message = [](void *data, wspush_server *server, wspush_session *session, int32_t kind, const void *bytes,
                      size_t length) {
      Message message(kind, {static_cast<const char *>(bytes), length});
      guarded(
          *static_cast<Host *>(data),
          [&](Callbacks &h) { Session shown(session); h.on_message(handle(data, server), shown, message); },
          [&] { fail(session); });
    };
  if (host.callbacks.on_fragment)
    c.on_fragment = [](void *data, wspush_server *server, wspush_session *session, int32_t kind, int32_t more,
                       const void *bytes, size_t length) {
      Fragment piece{kind, {static_cast<const char *>(bytes), length}, more != 0};
      guarded(
          *static_cast<Host *>(data),
          [&](Callbacks &h) { Session shown(session); h.on_fragment(handle(data, server), shown, piece); },
          [&] { fail(session); });
    };
  if (host.callbacks.on_drained)
    c.on_drained = [](void *data, wspush_server *server, wspush_session *session) {
      guarded(
          *static_cast<Host *>(data),
          [&](Callbacks &h) { Session shown(session); h.on_drained(handle(data, server), shown); },
          [&] { fail(session); });
    };
  if (host.callbacks.on_pong)
    c.on_pong = [](void *data, wspush_server *server, wspush_session *session, const void *bytes, size_t length) {
      std::string_view payload(static_cast<const char *>(bytes), length);
      guarded(
          *static_cast<Host *>(data),
          [&](Callbacks &h) { Session shown(session); h.on_pong(handle(data, server), shown, payload); },
          [&] { fail(session); });
    };
  if (host.callbacks.on_close)
    c.on_closed = [](void *data, wspush_server *server, const wspush_closed *gone) {
      Closed closed{0, std::nullopt, 0, {}, gone};
      wspush_str text{};
      wspush_closed_id(gone, &closed.conn);
      if (wspush_closed_user(gone, &text) == WSPUSH_OK) closed.user = view(text);
      if (wspush_closed_why(gone, &closed.code, &text) == WSPUSH_OK) closed.reason = view(text);
      guarded(
          *static_cast<Host *>(data), [&](Callbacks &h) { h.on_close(handle(data, server), closed); }, [] {});
    };
  if (host.callbacks.on_log)
    c.on_log = [](void *data, int32_t level, const char *line, size_t length) {
      guarded(
          *static_cast<Host *>(data), [&](Callbacks &h) { h.on_log(level, {line, length}); }, [] {});
    };
  return c;
}

/// Frees a server. In a callback, where nothing may wait for its end, a thread does; what it needs until then, stays.
inline void release(wspush_server *server, std::unique_ptr<Host> host) noexcept {
  if (wspush_server_free(server) != WSPUSH_EWRONGTHREAD) return;
  wspush_server_drain(server, 0);
  abandon(*host);
  for (auto &route : host->routes) abandon(*route);
  Host *kept = host.release();
  try {
    std::thread([server, kept] {
      wspush_server_free(server);
      delete kept;
    }).detach();
  } catch (const std::exception &error) {
    std::fprintf(stderr, "wspush: a drained server is never freed: %s\n", error.what());
  }
}
} // namespace detail

inline uint32_t Config::route(std::string_view pattern, Callbacks callbacks, RouteTerms terms) {
  wspush_callbacks none{};
  none.struct_size = sizeof none;
  // Whether it can be added shows here; each server gets functions of its own.
  uint32_t number = detail::add_route(get(), pattern, terms, none);
  routes_.push_back(std::make_shared<detail::RouteSpec>(
      detail::RouteSpec{std::string(pattern), std::move(terms), std::move(callbacks)}));
  return number;
}
inline uint32_t Config::route(std::string_view pattern, std::shared_ptr<Endpoint> endpoint, RouteTerms terms) {
  Callbacks c;
  c.on_connect = [endpoint](Handle h, Connect &connect) { endpoint->on_connect(h, connect); };
  c.on_open = [endpoint](Handle h, Session &session) { endpoint->on_open(h, session); };
  c.on_taken_over = [endpoint](Handle h, Session &session) { endpoint->on_taken_over(h, session); };
  c.on_message = [endpoint](Handle h, Session &session, Message m) { endpoint->on_message(h, session, m); };
  c.on_fragment = [endpoint](Handle h, Session &session, Fragment f) { endpoint->on_fragment(h, session, f); };
  c.on_drained = [endpoint](Handle h, Session &session) { endpoint->on_drained(h, session); };
  c.on_pong = [endpoint](Handle h, Session &session, std::string_view payload) {
    endpoint->on_pong(h, session, payload);
  };
  c.on_close = [endpoint](Handle h, const Closed &closed) { endpoint->on_close(h, closed); };
  return route(pattern, std::move(c), std::move(terms));
}

/// Owns a server; moves, does not copy. The destructor stops it at once, and so does an assignment to it. Both wait for
/// its end, but not in a callback, of whichever server: there they cut its clients, wait for no more than callbacks of
/// its own that are running on other threads, and leave the rest to a thread. When they return, no callback of it will
/// be called again, `on_close` included.
class Server : public Handle {
public:
  explicit Server(const Config &config = {}, Callbacks callbacks = {})
      : Server(config, std::make_unique<detail::Host>(std::move(callbacks))) {}

  Server(Server &&other) noexcept
      : Handle(std::exchange(static_cast<Handle &>(other), Handle())), host_(std::move(other.host_)) {}
  Server &operator=(Server &&other) noexcept {
    if (this != &other) {
      detail::release(get(), std::move(host_));
      static_cast<Handle &>(*this) = std::exchange(static_cast<Handle &>(other), Handle());
      host_ = std::move(other.host_);
    }
    return *this;
  }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;
  ~Server() { detail::release(get(), std::move(host_)); }

  /// Gives it a thread of its own.
  void start() { check(wspush_server_start(get())); }
  /// Or does one turn on this thread; false: it has drained.
  bool poll(int32_t timeout_ms = -1) { return check(wspush_server_poll(get(), timeout_ms)) != WSPUSH_DONE; }
  /// How many reactors it has.
  uint32_t reactors() const {
    uint32_t count = 0;
    check(wspush_server_reactors(get(), &count));
    return count;
  }
  /// Or does one turn of one of them, from 0; false: it has drained. Each has to be polled then.
  bool poll_reactor(uint32_t reactor, int32_t timeout_ms = -1) {
    return check(wspush_server_reactor_poll(get(), reactor, timeout_ms)) != WSPUSH_DONE;
  }
  int reactor_fd(uint32_t reactor) const {
    int32_t fd = -1;
    check(wspush_server_reactor_fd(get(), reactor, &fd));
    return fd;
  }
  /// As `timeout`, of one of them.
  int reactor_timeout(uint32_t reactor) const {
    int32_t timeout_ms = 0;
    check(wspush_server_reactor_timeout(get(), reactor, &timeout_ms));
    return timeout_ms;
  }
  int fd() const {
    int32_t fd = -1;
    check(wspush_server_fd(get(), &fd));
    return fd;
  }
  /// Milliseconds until it must be polled all the same; -1: need not be.
  int timeout() const {
    int32_t timeout_ms = 0;
    check(wspush_server_timeout(get(), &timeout_ms));
    return timeout_ms;
  }
  /// Drains and waits for the end, `drain_ms` at most (negative: as configured).
  void stop(int64_t drain_ms = -1) { check(wspush_server_stop(get(), drain_ms)); }

  uint16_t port() const {
    uint16_t port = 0;
    check(wspush_server_port(get(), &port));
    return port;
  }
  /// How many connections a running server has handed to this one (setting `handover`); nothing if there was none.
  std::optional<uint64_t> handover() const {
    uint64_t connections = 0;
    wspush_status status = wspush_server_handover(get(), &connections);
    if (status == WSPUSH_ENOTFOUND) return std::nullopt;
    check(status);
    return connections;
  }
  /// The address of a public listener; nothing if there are no more.
  std::optional<std::string_view> address(std::size_t index = 0) const {
    wspush_str text{};
    wspush_status status = wspush_server_address(get(), index, &text);
    return detail::found(status, text);
  }

private:
  Server(const Config &config, std::unique_ptr<detail::Host> host)
      : Handle(make(config, *host), host.get()), host_(std::move(host)) {}

  static wspush_server *make(const Config &config, detail::Host &host) {
    wspush_callbacks c = detail::trampolines(host);
    wspush_config *own = nullptr;
    check(wspush_config_copy(config.get(), &own));
    std::unique_ptr<wspush_config, Config::Free> settings(own);
    for (const auto &spec : config.routes_) {
      host.routes.push_back(std::make_unique<detail::Host>(spec->callbacks));
      detail::add_route(own, spec->pattern, spec->terms, detail::trampolines(*host.routes.back()));
    }
    wspush_server *server = nullptr;
    check(wspush_server_new(own, &c, &server));
    return server;
  }
  /// On the heap, so that it stays where it is when the server moves.
  std::unique_ptr<detail::Host> host_;
};

} // namespace wspush

#include "wspush_questions.hpp"

#endif // C++17

#endif // WSPUSH_HPP
