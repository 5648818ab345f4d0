// control.c in C++: one session from any thread, and refusals with headers.
#include <atomic>
#include <iostream>
#include <string>

#include "wspush.hpp"

static std::atomic<uint64_t> first{0};
static unsigned pongs = 0, closed = 0, guests = 0;

struct Guest {};

static void refuses(const std::function<void()> &call) {
  try {
    call();
  } catch (const wspush::Error &error) {
    if (error.status() == WSPUSH_EINVAL) return;
    throw;
  }
  throw std::logic_error("it is refused");
}

class Controlled : public wspush::Endpoint {
public:
  void on_connect(wspush::Handle handle, wspush::Connect &connect) override {
    if (connect.is_secure()) throw std::logic_error("there is no TLS");
    if (auto later = connect.query("later")) {
      uint64_t conn = connect.pending();
      wspush::Pairs late{{"X-Late", "yes"}};
      if (*later == "not") return handle.refuse_pending(conn, 429, "later still", late);
      wspush::Acceptance acceptance;
      acceptance.channels = {"news"}, acceptance.broadcast = false, acceptance.protocol = "b";
      acceptance.headers = late, acceptance.since = {{"news", "last:1"}};
      refuses([&] { handle.accept_pending(0, acceptance, Guest{}); });
      handle.publish("news", "old");
      return handle.accept_pending(conn, acceptance, Guest{});
    }
    if (connect.query("refused")) connect.add_header("WWW-Authenticate", "Bearer").refuse(401, "log in");
  }
  void on_open(wspush::Handle, wspush::Session &session) override {
    first = session.id();
    if (session.attribute<Guest>()) guests++;
    if (session.is_secure()) throw std::logic_error("there is no TLS");
    session.reply("open");
  }
  void on_message(wspush::Handle, wspush::Session &session, wspush::Message message) override {
    if (message.data == "beat") {
      const std::string long_text(125, '\0');
      refuses([&] { session.ping(long_text + "x"); });
      session.ping("a");
      session.ping();
      session.pong(long_text);
    }
    session.reply(message);
  }
  void on_pong(wspush::Handle, wspush::Session &session, std::string_view payload) override {
    pongs++;
    session.reply({WSPUSH_BINARY, payload});
  }
  void on_close(wspush::Handle, const wspush::Closed &) override { closed++; }
};

int main() {
  try {
    wspush::Config config;
    config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
    config.route("/a/{b}/{c}", std::make_shared<Controlled>());
    wspush::Server server(config);
    refuses([&] { server.ping(0, "a"); });
    refuses([&] { server.idle_timeout(0, 1); });
    server.start();
    std::cout << "port " << server.port() << std::endl;
    const std::string much(60000, '\0');
    for (std::string line; std::getline(std::cin, line);) {
      if (line == "ping") server.ping(first, "from main");
      if (line == "pong") server.pong(first);
      if (line == "much") server.send(first, {WSPUSH_BINARY, much});
      if (line == "limit") server.message_bytes_max(first, 200);
      if (line == "idle") server.idle_timeout(first, 1);
      if (line == "close") server.close(first, 4001, "bye");
      wspush::Promise<wspush::SessionInfo> promise;
      server.session(first, promise.take);
      wspush::Answer<wspush::SessionInfo> answer = promise.answer.get();
      if (!answer) {
        if (answer.status() != WSPUSH_ENOTFOUND) throw std::logic_error("it is there or not");
        std::cout << "gone" << std::endl;
        continue;
      }
      std::cout << (answer->outbox_bytes > 0 ? "waits" : "nothing waits");
      for (const auto &[name, value] : answer->params) std::cout << " " << name << "=" << value;
      if (answer->is_secure || answer->param("c") != "d e" || answer->param("d")) throw std::logic_error("d e");
      std::cout << std::endl;
    }
    server.stop(1000);
    if (guests != 1) throw std::logic_error("one guest");
    std::cout << "pongs " << pongs << " closed " << closed << std::endl;
    return 0;
  } catch (const std::exception &error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
