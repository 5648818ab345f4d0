/*
 * Routes of wspush.hpp: their terms, attributes of sessions, and questions about sessions. Included by that, not by you.
 */
#ifndef WSPUSH_ROUTES_HPP
#define WSPUSH_ROUTES_HPP

#include "wspush.h"
#include "wspush_values.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wspush {

/// What differs at a route from the server's settings.
struct RouteTerms {
  /// The largest message from a client; 0: the setting `message_bytes_max`.
  uint64_t message_bytes_max = 0;
  /// The subprotocols offered, in place of the setting `subprotocols`.
  std::optional<std::vector<std::string>> subprotocols{};
  /// The pages that may connect, in place of the setting `origins`.
  std::optional<std::vector<std::string>> origins{};
  /// How messages are handed over, where the decision about a client doesn't say it.
  Pieces pieces = Pieces::off;
  /// The idle time-out that sessions have from the beginning on; 0: none.
  uint64_t idle_ms = 0;
};

/// Names and what belongs to them.
using Pairs = std::vector<std::pair<std::string, std::string>>;

/// How a client is let in that has waited (`Connect::pending`).
struct Acceptance {
  /// Empty: nobody.
  std::string user{};
  std::vector<std::string> channels{};
  /// JSON that says more about the user.
  std::string info{};
  bool broadcast = true;
  Pieces pieces = Pieces::off;
  std::optional<std::string> protocol{};
  /// Header fields of the answer.
  Pairs headers{};
  /// From where on it receives channels, as in `Connect::since`.
  Pairs since{};
};

/// An open session, as it was when it was looked at.
struct SessionInfo {
  uint64_t conn = 0;
  /// Empty: nobody has said.
  std::string user;
  std::string peer;
  /// `WSPUSH_NO_ROUTE`: it has come by a path of the server's own.
  uint32_t route = WSPUSH_NO_ROUTE;
  /// Bytes that wait for it alone.
  uint64_t outbox_bytes = 0;
  /// Whether it speaks TLS with this server.
  bool is_secure = false;
  /// The names in its route's pattern and their values.
  std::vector<std::pair<std::string, std::string>> params{};

  /// The value of a name in its route's pattern.
  std::optional<std::string_view> param(std::string_view name) const {
    for (const auto &[own, value] : params)
      if (own == name) return value;
    return std::nullopt;
  }
};
/// A page of open sessions.
struct Sessions {
  std::vector<SessionInfo> sessions;
  /// For the next page; 0: that was all.
  uint64_t next = 0;
};

namespace detail {
/// One for each type: by its address the type of an attribute is known again.
template <typename T> struct Tag {
  static inline const char of = 0;
};

/// A host's value at a connection.
struct Held {
  const void *tag;
  void *value;
  void (*drop)(void *);

  ~Held() { drop(value); }
  static void free(void *held) noexcept { delete static_cast<Held *>(held); }
};

template <typename T> Held *hold(T value) {
  auto own = std::make_unique<T>(std::move(value));
  Held *held = new Held{&Tag<T>::of, own.get(), [](void *kept) { delete static_cast<T *>(kept); }};
  own.release();
  return held;
}

/// The value in it, if it is of this type.
template <typename T> T *held(wspush_status status, void *kept) {
  if (status == WSPUSH_ENOTFOUND) return nullptr;
  check(status);
  auto *held = static_cast<Held *>(kept);
  return held->tag == &Tag<T>::of ? static_cast<T *>(held->value) : nullptr;
}

inline std::vector<wspush_str> texts(const std::optional<std::vector<std::string>> &names) {
  std::vector<wspush_str> texts;
  if (names)
    for (const std::string &name : *names) texts.push_back({name.data(), name.size()});
  return texts;
}

inline std::vector<wspush_str> texts(const Pairs &pairs) {
  std::vector<wspush_str> texts;
  for (const auto &[name, value] : pairs) {
    texts.push_back({name.data(), name.size()});
    texts.push_back({value.data(), value.size()});
  }
  return texts;
}

/// Lets in a client that waits; `held` is the library's from then on.
inline void accept_pending(wspush_server *server, uint64_t conn, const Acceptance &asked, std::unique_ptr<Held> held) {
  std::vector<wspush_str> headers = texts(asked.headers), since = texts(asked.since);
  std::string channels;
  for (const std::string &channel : asked.channels) channels += (channels.empty() ? "" : ",") + channel;
  wspush_acceptance a{};
  a.struct_size = sizeof a;
  a.user = asked.user.data(), a.user_length = asked.user.size();
  a.channels = channels.data(), a.channels_length = channels.size();
  a.info = asked.info.data(), a.info_length = asked.info.size();
  a.no_broadcast = !asked.broadcast;
  a.pieces = static_cast<int64_t>(asked.pieces);
  if (asked.protocol) a.protocol = asked.protocol->data(), a.protocol_length = asked.protocol->size();
  a.headers = headers.data(), a.headers_count = headers.size();
  a.since = since.data(), a.since_count = since.size();
  a.attribute = held.get(), a.free_attribute = Held::free;
  check(wspush_accept_pending_with(server, conn, &a));
  held.release();
}

/// Refuses a client that waits.
inline void refuse_pending(wspush_server *server, uint64_t conn, uint16_t status, std::string_view reason,
                           const Pairs &fields) {
  std::vector<wspush_str> headers = texts(fields);
  wspush_refusal r{};
  r.struct_size = sizeof r;
  r.status = status;
  r.reason = reason.data(), r.reason_length = reason.size();
  r.headers = headers.data(), r.headers_count = headers.size();
  check(wspush_refuse_pending_with(server, conn, &r));
}

/// Adds a route to a configuration: its number.
inline uint32_t add_route(wspush_config *config, std::string_view pattern, const RouteTerms &terms,
                          const wspush_callbacks &callbacks) {
  static const wspush_str none{};
  std::vector<wspush_str> subprotocols = texts(terms.subprotocols), origins = texts(terms.origins);
  wspush_route_terms t{};
  t.struct_size = sizeof t;
  t.message_bytes_max = terms.message_bytes_max;
  // An empty list is one, and none is none.
  if (terms.subprotocols) t.subprotocols = subprotocols.empty() ? &none : subprotocols.data();
  t.subprotocols_count = subprotocols.size();
  if (terms.origins) t.origins = origins.empty() ? &none : origins.data();
  t.origins_count = origins.size();
  t.pieces = static_cast<int64_t>(terms.pieces);
  t.idle_ms = terms.idle_ms;
  uint32_t route = WSPUSH_NO_ROUTE;
  check(wspush_route_add(config, pattern.data(), pattern.size(), &t, &callbacks, &route));
  return route;
}

/// A session of an answer; false: there are no more.
inline bool read_session(const wspush_answer *answer, size_t index, SessionInfo &session) {
  wspush_session_info info{};
  info.struct_size = sizeof info;
  if (wspush_answer_session(answer, index, &info) != WSPUSH_OK) return false;
  session = {info.conn,         std::string(view(info.user)), std::string(view(info.peer)), static_cast<uint32_t>(info.route),
             info.outbox_bytes, info.is_secure != 0,          {}};
  wspush_str name{}, value{};
  for (size_t n = 0; wspush_answer_session_param_at(answer, index, n, &name, &value) == WSPUSH_OK; n++)
    session.params.emplace_back(view(name), view(value));
  return true;
}
inline SessionInfo read(const wspush_answer *answer, SessionInfo *) {
  SessionInfo session;
  read_session(answer, 0, session);
  return session;
}
inline Sessions read(const wspush_answer *answer, Sessions *) {
  Sessions page;
  SessionInfo session;
  for (size_t n = 0; read_session(answer, n, session); n++) page.sessions.push_back(std::move(session));
  if (wspush_answer_next(answer, &page.next) < 0) page.next = 0;
  return page;
}
} // namespace detail
} // namespace wspush

#endif // WSPUSH_ROUTES_HPP
