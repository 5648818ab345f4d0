// A store of one file over wspush.hpp: an upload is written as it comes by a thread that may wait for a disk, and its
// client is paused meanwhile; "get" sends it back, the next piece whenever the last one has gone.
#include <atomic>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "wspush.hpp"

namespace {
struct Piece {
  std::string bytes;
  bool more;
  uint64_t conn;
};

// Writes what it is given, one piece at a time, on a thread of its own.
class Store {
public:
  // `written` is called on that thread, with the piece that is written.
  explicit Store(std::function<void(const Piece &)> written) : written_(std::move(written)), thread_([this] { run(); }) {}
  ~Store() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ends_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  void put(Piece piece) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (next_) throw std::logic_error("a paused client was heard");
      next_ = std::move(piece);
    }
    changed_.notify_one();
  }
  // The next bytes of what is stored, from there on.
  std::string read(std::size_t from, std::size_t length) {
    std::lock_guard<std::mutex> lock(mutex_);
    return file_.str().substr(from, length);
  }
  std::size_t size() {
    std::lock_guard<std::mutex> lock(mutex_);
    return file_.str().size();
  }

private:
  void run() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return next_ || ends_; });
      if (!next_) return;
      Piece piece = std::move(*next_);
      next_.reset();
      file_ << piece.bytes;
      lock.unlock();
      written_(piece);
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Piece> next_;
  bool ends_ = false;
  std::ostringstream file_;
  std::function<void(const Piece &)> written_;
  std::thread thread_;
};
} // namespace

int main() {
  wspush::Handle handle;
  unsigned drained = 0;
  std::atomic<uint64_t> last{0};
  std::size_t at = 0;
  Store store([&](const Piece &piece) {
    if (!piece.more) handle.send(piece.conn, "stored");
    handle.resume(piece.conn);
  });
  auto go_on = [&](wspush::Session &session) {
    std::string bytes = store.read(at, 1 << 16);
    at += bytes.size();
    bool more = at < store.size();
    session.send_fragment(wspush::Fragment::binary(bytes, more));
    if (session.outbox_bytes() < bytes.size()) throw std::logic_error("what was sent does not wait");
    if (more) session.notify_drained();
  };
  wspush::Callbacks callbacks;
  callbacks.on_connect = [](wspush::Handle, wspush::Connect &connect) {
    connect.pieces(connect.path() == "/ws" ? wspush::Pieces::unbounded : wspush::Pieces::off);
  };
  callbacks.on_fragment = [&](wspush::Handle, wspush::Session &session, wspush::Fragment piece) {
    if (piece.is_text()) {
      if (piece.data != "get") throw std::invalid_argument("only get");
      at = 0;
      return go_on(session);
    }
    last = session.id();
    session.pause();
    store.put({std::string(piece.data), piece.more, last});
  };
  callbacks.on_drained = [&](wspush::Handle, wspush::Session &session) {
    drained++;
    go_on(session);
  };
  callbacks.on_exception = [](std::exception_ptr) {};
  wspush::Server server(wspush::Config().set("listen", "127.0.0.1:0").set("max_connections", 100), callbacks);
  handle = server;
  server.start();
  std::cout << "port " << server.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    server.pause(last);
    server.resume(last);
    server.send_fragment(last, wspush::Fragment::text(line, true));
    server.send(last, "behind");
    server.send_fragment(last, wspush::Fragment::text("", false));
  }
  server.stop();
  std::cout << (drained > 0 ? "drained" : "at once") << std::endl;
}
