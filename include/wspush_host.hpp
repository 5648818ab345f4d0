/*
 * What stands behind the callbacks of a server of wspush.hpp: who runs one, and that none runs any more once its owner has
 * gone. Included by that, not by you.
 */
#ifndef WSPUSH_HOST_HPP
#define WSPUSH_HOST_HPP

#include "wspush_session.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace wspush {
namespace detail {
/// What a server's callbacks are given as their `user_data`: it stays where it is until the server is freed.
struct Host {
  Callbacks callbacks;
  /// Callbacks that run, on as many threads as the server has.
  std::atomic<size_t> inside{0};
  /// The routes of the same server.
  std::vector<std::unique_ptr<Host>> routes{};
  /// Whether the owner has gone. No function of the host's is called any more: what it refers to may have gone as well.
  std::atomic<bool> abandoned{false};
  /// For who waits for those that run.
  std::mutex lock{};
  std::condition_variable left{};

  explicit Host(Callbacks callbacks_) : callbacks(std::move(callbacks_)) {}
};

/// A callback that runs.
struct Inside {
  Host &host;
  /// The one of this thread that it runs in.
  Inside *outer;

  static Inside *&innermost() noexcept {
    thread_local Inside *inside = nullptr;
    return inside;
  }
  explicit Inside(Host &host_) noexcept : host(host_), outer(innermost()) {
    innermost() = this;
    host.inside++;
  }
  Inside(const Inside &) = delete;
  Inside &operator=(const Inside &) = delete;
  ~Inside() {
    innermost() = outer;
    host.inside--;
    if (!host.abandoned) return;
    std::lock_guard<std::mutex> lock(host.lock);
    host.left.notify_all();
  }
};

/// No callback begins any more, and none runs but those of this thread.
inline void abandon(Host &host) noexcept {
  host.abandoned = true;
  size_t own = 0;
  for (Inside *inside = Inside::innermost(); inside; inside = inside->outer) own += &inside->host == &host;
  std::unique_lock<std::mutex> lock(host.lock);
  host.left.wait(lock, [&] { return host.inside <= own; });
}

/// Calls a host's function, whose last resort for an exception is standard error.
template <typename Call> void reported(Call call) noexcept {
  try {
    call();
  } catch (const std::exception &error) {
    std::fprintf(stderr, "wspush: a callback has thrown: %s\n", error.what());
  } catch (...) {
    std::fputs("wspush: a callback has thrown\n", stderr);
  }
}

/// Calls a host's function, unless its server has lost its owner; no exception gets out.
template <typename Call, typename Rescue> void guarded(Host &host, Call call, Rescue rescue) noexcept {
  Inside inside(host);
  if (host.abandoned) return rescue();
  reported([&] {
    try {
      call(host.callbacks);
    } catch (...) {
      rescue();
      if (!host.callbacks.on_exception) throw;
      host.callbacks.on_exception(std::current_exception());
    }
  });
}
} // namespace detail
} // namespace wspush

#endif
