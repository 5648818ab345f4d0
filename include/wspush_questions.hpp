/*
 * Questions of wspush.hpp whose answers come later: each of them with the function of wspush.h that it asks. Included by
 * that, not by you.
 */
#ifndef WSPUSH_QUESTIONS_HPP
#define WSPUSH_QUESTIONS_HPP

#include "wspush.hpp"

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace wspush {

inline void Handle::session(uint64_t conn, OnAnswer<SessionInfo> take) const {
  detail::Question<SessionInfo>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_session_of(server_, conn, answered, data);
  });
}
inline void Handle::sessions(OnAnswer<Sessions> take, uint32_t route, uint64_t after, uint32_t limit) const {
  detail::Question<Sessions>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_sessions(server_, route, after, limit, answered, data);
  });
}
inline void Handle::channel(std::string_view name, OnAnswer<ChannelInfo> take) const {
  detail::Question<ChannelInfo>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_channel(server_, name.data(), name.size(), answered, data);
  });
}
inline void Handle::channels(std::string_view prefix, OnAnswer<Channels> take, uint64_t after,
                             uint32_t limit) const {
  detail::Question<Channels>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_channels(server_, prefix.data(), prefix.size(), after, limit, answered, data);
  });
}
inline void Handle::history(std::string_view channel, const HistoryQuery &query, OnAnswer<History> take) const {
  wspush_history_query asked = sized<wspush_history_query>();
  asked.since = query.since.data() ? query.since.data() : "";
  asked.since_length = query.since.size();
  asked.limit = query.limit;
  asked.newest_first = query.newest_first;
  detail::Question<History>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_history(server_, channel.data(), channel.size(), &asked, answered, data);
  });
}
inline void Handle::presence(std::string_view channel, OnAnswer<Presence> take) const {
  detail::Question<Presence>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_presence(server_, channel.data(), channel.size(), answered, data);
  });
}
inline void Handle::forget_history(std::string_view channel, OnAnswer<ChannelInfo> take) const {
  detail::Question<ChannelInfo>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_forget_history(server_, channel.data(), channel.size(), answered, data);
  });
}
inline void Handle::nodes(OnAnswer<std::vector<NodeInfo>> take) const {
  detail::Question<std::vector<NodeInfo>>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_nodes(server_, answered, data);
  });
}
inline void Handle::user_connections(std::string_view user, OnAnswer<UserConnections> take, uint64_t after,
                                     uint32_t limit) const {
  detail::Question<UserConnections>::put(std::move(take), host_, [&](wspush_on_answer answered, void *data) {
    return wspush_user_connections(server_, user.data(), user.size(), after, limit, answered, data);
  });
}

} // namespace wspush

#endif // WSPUSH_QUESTIONS_HPP
