/*
 * What callbacks of wspush.hpp are given: a client that asks, a session, one that has gone. Included by that, not by
 * you.
 */
#ifndef WSPUSH_SESSION_HPP
#define WSPUSH_SESSION_HPP

#include "wspush.h"
#include "wspush_routes.hpp"
#include "wspush_values.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace wspush {
class Handle;
/// A client of an app that asks for a private channel, or signs in; only inside `on_authorize`.
class Authorization {
public:
  explicit Authorization(wspush_authorization *asked) : asked_(asked) {
    info_.struct_size = sizeof info_;
    check(wspush_authorization_read(asked_, &info_));
  }

  uint64_t conn() const noexcept { return info_.conn; }
  /// Which question of this connection it is, for `Handle::authorize`.
  uint64_t number() const noexcept { return info_.number; }
  std::string_view app() const noexcept { return detail::view(info_.app); }
  std::string_view socket_id() const noexcept { return detail::view(info_.socket_id); }
  /// The id of the user that it has signed in as; empty: none.
  std::string_view user() const noexcept { return detail::view(info_.user); }
  /// The channel, by the app's name for it; empty: a user signs in.
  std::string_view channel() const noexcept { return detail::view(info_.channel); }
  /// The client's `auth`: a backend's signature, or something of the host's own.
  std::string_view auth() const noexcept { return detail::view(info_.auth); }
  /// The client's `channel_data` or `user_data`; nobody vouches for it unless it is signed.
  std::string_view data() const noexcept { return detail::view(info_.data); }
  bool is_signed() const noexcept { return info_.is_signed != 0; }

  /// It may, as the one that it is by signature or sign-in.
  void allow() const { check(wspush_authorization_allow(asked_, nullptr, 0)); }
  /// It may, as the one of whom this JSON says who it is.
  void allow(std::string_view data) const {
    check(wspush_authorization_allow(asked_, data.data(), data.size()));
  }
  void refuse(std::string_view reason) const {
    check(wspush_authorization_refuse(asked_, reason.data(), reason.size()));
  }
  /// It waits for `Handle::authorize` or `Handle::refuse_authorization`.
  void pend() const { check(wspush_authorization_pend(asked_)); }

private:
  wspush_authorization *asked_;
  wspush_authorization_info info_{};
};

/// A client that asks to be let in; only inside `on_connect`.
class Connect {
public:
  explicit Connect(wspush_connect *connect) noexcept : connect_(connect) {}

  std::string_view path() const {
    wspush_str text{};
    check(wspush_connect_path(connect_, &text));
    return detail::view(text);
  }
  /// The way that it wants to be pushed to.
  Transport transport() const {
    int32_t transport = 0;
    check(wspush_connect_transport(connect_, &transport));
    return static_cast<Transport>(transport);
  }
  std::optional<std::string_view> query(std::string_view name) const {
    wspush_str text{};
    wspush_status status = wspush_connect_query(connect_, name.data(), name.size(), &text);
    return detail::found(status, text);
  }
  std::optional<std::string_view> header(std::string_view name) const {
    wspush_str text{};
    wspush_status status = wspush_connect_header(connect_, name.data(), name.size(), &text);
    return detail::found(status, text);
  }
  std::optional<std::string_view> peer() const {
    wspush_str text{};
    wspush_status status = wspush_connect_peer(connect_, &text);
    return detail::found(status, text);
  }
  /// The value of a name in the route's pattern.
  std::optional<std::string_view> param(std::string_view name) const {
    wspush_str text{};
    wspush_status status = wspush_connect_param(connect_, name.data(), name.size(), &text);
    return detail::found(status, text);
  }
  /// The rest of the path beyond a pattern that ends with a star.
  std::optional<std::string_view> rest() const {
    wspush_str text{};
    wspush_status status = wspush_connect_rest(connect_, &text);
    return detail::found(status, text);
  }
  std::optional<std::string_view> cookie(std::string_view name) const {
    wspush_str text{};
    wspush_status status = wspush_connect_cookie(connect_, name.data(), name.size(), &text);
    return detail::found(status, text);
  }
  /// Whether it speaks TLS with this server. Behind a proxy that ends TLS it doesn't.
  bool is_secure() const {
    int32_t secure = 0;
    check(wspush_connect_is_secure(connect_, &secure));
    return secure != 0;
  }
  /// The route that it asks at, by the number of `Config::route`, or `WSPUSH_NO_ROUTE`.
  uint32_t route() const {
    uint32_t route = WSPUSH_NO_ROUTE;
    check(wspush_connect_route(connect_, &route));
    return route;
  }
  /// Whose TLS certificate it has shown, as `CN=alice,O=Example`.
  std::optional<std::string_view> client_subject() const {
    wspush_str text{};
    wspush_status status = wspush_connect_client_subject(connect_, &text);
    return detail::found(status, text);
  }
  /// Whom its token names; the token was checked.
  std::optional<std::string_view> user() const {
    wspush_str text{};
    wspush_status status = wspush_connect_user(connect_, &text);
    return detail::found(status, text);
  }
  /// What its token says others may be shown of the user: JSON.
  std::optional<std::string_view> info() const {
    wspush_str text{};
    wspush_status status = wspush_connect_info(connect_, &text);
    return detail::found(status, text);
  }
  /// Everything that its token says: a JSON object.
  std::optional<std::string_view> claims() const {
    wspush_str text{};
    wspush_status status = wspush_connect_claims(connect_, &text);
    return detail::found(status, text);
  }
  /// The channels that it asks for.
  std::vector<std::string_view> channels() const {
    std::vector<std::string_view> names;
    wspush_str text{};
    for (size_t n = 0; detail::found(wspush_connect_channel(connect_, n, &text), text); n++)
      names.push_back(detail::view(text));
    return names;
  }
  Connect &accept() { return done(wspush_connect_accept(connect_)); }
  /// Lets it wait for `Server::accept_pending` or `Server::refuse_pending`; the connection's id.
  uint64_t pending() {
    uint64_t conn = 0;
    check(wspush_connect_pending(connect_, &conn));
    return conn;
  }
  Connect &refuse(uint16_t status, std::string_view reason) {
    return done(wspush_connect_refuse(connect_, status, reason.data(), reason.size()));
  }
  /// Who it is; not empty.
  Connect &user(std::string_view name) {
    return done(wspush_connect_set_user(connect_, name.data(), name.size()));
  }
  /// JSON that says more about it to those who see it in a channel with presence.
  Connect &info(std::string_view json) {
    return done(wspush_connect_set_info(connect_, json.data(), json.size()));
  }
  Connect &channel(std::string_view name) {
    return done(wspush_connect_add_channel(connect_, name.data(), name.size()));
  }
  /// From where on it receives a channel, or the default one (`broadcast`), whatever the client wants.
  Connect &since(std::string_view channel, std::string_view since) {
    return done(
        wspush_connect_set_since(connect_, channel.data(), channel.size(), since.data(), since.size()));
  }
  /// Whether its messages are handed over as they come, to `on_fragment`.
  Connect &pieces(Pieces wanted) {
    return done(wspush_connect_set_pieces(connect_, static_cast<int32_t>(wanted)));
  }
  Connect &broadcast(bool wanted) { return done(wspush_connect_set_broadcast(connect_, wanted)); }
  Connect &protocol(std::string_view name) {
    return done(wspush_connect_set_protocol(connect_, name.data(), name.size()));
  }
  /// Adds a header to the answer, whether that lets it in or not.
  Connect &add_header(std::string_view name, std::string_view value) {
    return done(
        wspush_connect_add_header(connect_, name.data(), name.size(), value.data(), value.size()));
  }
  /// Keeps a value at the connection, if it is let in: see Session::attribute.
  template <typename T> Connect &attribute(T value) {
    std::unique_ptr<detail::Held> held(detail::hold(std::move(value)));
    check(wspush_connect_set_attribute(connect_, held.get(), detail::Held::free));
    held.release();
    return *this;
  }

private:
  Connect &done(wspush_status status) {
    check(status);
    return *this;
  }
  wspush_connect *connect_;
};

/// A connection at hand; only inside `on_open` and `on_message`. Keep its `id()` to reach it later.
class Session {
public:
  explicit Session(wspush_session *session) noexcept : session_(session) {}

  uint64_t id() const {
    uint64_t conn = 0;
    check(wspush_session_id(session_, &conn));
    return conn;
  }
  std::optional<std::string_view> user() const {
    wspush_str text{};
    wspush_status status = wspush_session_user(session_, &text);
    return detail::found(status, text);
  }
  /// The route that it has come by, or `WSPUSH_NO_ROUTE`.
  uint32_t route() const {
    uint32_t route = WSPUSH_NO_ROUTE;
    check(wspush_session_route(session_, &route));
    return route;
  }
  /// The value of a name in the route's pattern.
  std::optional<std::string_view> param(std::string_view name) const {
    wspush_str text{};
    wspush_status status = wspush_session_param(session_, name.data(), name.size(), &text);
    return detail::found(status, text);
  }
  std::optional<std::string_view> peer() const {
    wspush_str text{};
    wspush_status status = wspush_session_peer(session_, &text);
    return detail::found(status, text);
  }
  /// Whether it is open: until it is closed in this callback.
  bool is_open() const {
    int32_t open = 0;
    check(wspush_session_is_open(session_, &open));
    return open != 0;
  }
  bool is_secure() const {
    int32_t secure = 0;
    check(wspush_session_is_secure(session_, &secure));
    return secure != 0;
  }
  /// The value that is kept here, if there is one of this type. It stays where it is until another takes its place or the
  /// connection is gone.
  template <typename T> T *attribute() const {
    void *kept = nullptr;
    wspush_status status = wspush_session_attribute(session_, &kept);
    return detail::held<T>(status, kept);
  }
  /// Keeps a value here; it is destroyed behind `on_close`, on the server's thread.
  template <typename T> T &set_attribute(T value) {
    std::unique_ptr<detail::Held> held(detail::hold(std::move(value)));
    check(wspush_session_set_attribute(session_, held.get(), detail::Held::free));
    return *static_cast<T *>(held.release()->value);
  }
  /// Closes it with 1001 after so many milliseconds without a message from it, or to it alone; 0: never.
  void idle_timeout(uint64_t idle_ms) { check(wspush_session_set_idle_timeout(session_, idle_ms)); }
  /// The largest message that it takes from here on.
  void message_bytes_max(uint64_t bytes) { check(wspush_session_set_message_bytes_max(session_, bytes)); }
  void reply(Message m) { check(wspush_session_reply(session_, m.kind, m.data.data(), m.data.size())); }
  void close(uint16_t code = 1000, std::string_view reason = {}) {
    check(wspush_session_close(session_, code, reason.data(), reason.size()));
  }
  void subscribe(std::string_view channel) {
    check(wspush_session_subscribe(session_, channel.data(), channel.size()));
  }
  /// From there on, as in `Server::subscribe`.
  void subscribe(std::string_view channel, std::string_view since) {
    check(wspush_session_subscribe_since(session_, channel.data(), channel.size(), since.data(), since.size()));
  }
  void unsubscribe(std::string_view channel) {
    check(wspush_session_unsubscribe(session_, channel.data(), channel.size()));
  }
  /// A ping with at most 125 bytes: between the pieces of a message that is under way. Its answer comes to `on_pong`,
  /// unless it is empty.
  void ping(std::string_view payload = {}) { check(wspush_session_ping(session_, payload.data(), payload.size())); }
  void pong(std::string_view payload = {}) { check(wspush_session_pong(session_, payload.data(), payload.size())); }
  /// Has it not read until `resume`, here or in a Handle.
  void pause() { check(wspush_session_pause(session_)); }
  void resume() { check(wspush_session_resume(session_)); }
  /// The next piece of a message: everything else that is said to the client waits for the last one.
  void send_fragment(Fragment f) {
    check(wspush_session_send_fragment(session_, f.kind, f.more, f.data.data(), f.data.size()));
  }
  /// Has `on_drained` called when what was sent to it until now is with the kernel.
  void notify_drained() { check(wspush_session_notify_drained(session_)); }
  /// Bytes that wait for it alone.
  uint64_t outbox_bytes() const {
    uint64_t bytes = 0;
    check(wspush_session_outbox_bytes(session_, &bytes));
    return bytes;
  }

private:
  wspush_session *session_;
};
/// A connection that has gone.
struct Closed {
  uint64_t conn;
  std::optional<std::string_view> user;
  uint16_t code;
  std::string_view reason;
  /// The C ABI's view of it.
  const wspush_closed *closed = nullptr;

  /// The route that it had come by, or `WSPUSH_NO_ROUTE`.
  uint32_t route() const {
    uint32_t route = WSPUSH_NO_ROUTE;
    check(wspush_closed_route(closed, &route));
    return route;
  }
  /// The value that was kept there, if there is one of this type.
  template <typename T> T *attribute() const {
    void *kept = nullptr;
    wspush_status status = wspush_closed_attribute(closed, &kept);
    return detail::held<T>(status, kept);
  }
  /// The value of a name in the route's pattern.
  std::optional<std::string_view> param(std::string_view name) const {
    wspush_str text{};
    wspush_status status = wspush_closed_param(closed, name.data(), name.size(), &text);
    return detail::found(status, text);
  }
};
/// What the host wants to hear; leave empty what it does not. They run on the server's thread and must not block; with the
/// setting `reactors` at more than 1 on as many at the same time, those of one session always on the same one. An
/// exception that leaves one refuses the client (500) or closes the connection (1011), and goes to `on_exception`;
/// without that its text goes to standard error. With any of them but `on_log` and `on_exception`, of all pages only those
/// of the server's own origin may connect, unless the setting `origins` says otherwise.
struct Callbacks {
  std::function<void(Handle, Connect &)> on_connect{};
  /// Decides on private channels and sign-ins of an app's clients; without it, signatures do. Not for routes.
  std::function<void(Handle, Authorization &)> on_authorize{};
  std::function<void(Handle, Session &)> on_open{};
  std::function<void(Handle, Session &, Message)> on_message{};
  std::function<void(Handle, const Closed &)> on_close{};
  std::function<void(int32_t level, std::string_view line)> on_log{};
  std::function<void(std::exception_ptr)> on_exception{};
  std::function<void(Handle, Session &, Fragment)> on_fragment{};
  std::function<void(Handle, Session &)> on_drained{};
  /// A pong with a payload has come.
  std::function<void(Handle, Session &, std::string_view)> on_pong{};
  /// A connection has come over from the server that ran before (setting `handover`), in place of `on_open`.
  std::function<void(Handle, Session &)> on_taken_over{};
};
} // namespace wspush

#endif // WSPUSH_SESSION_HPP
