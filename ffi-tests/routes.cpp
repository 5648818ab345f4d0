// The chat of routes.c in C++: a class for a route, lambdas for another, and values that sessions keep.
#include <atomic>
#include <cstdio>
#include <iostream>
#include <string>

#include "wspush.hpp"

static std::atomic<int> alive{0};

struct Guest {
  std::string room;
  unsigned messages = 0;

  explicit Guest(std::string_view name) : room(name) { alive++; }
  Guest(const Guest &other) : room(other.room), messages(other.messages) { alive++; }
  ~Guest() { alive--; }
};

static unsigned closed_with = 0;

class Chat : public wspush::Endpoint {
public:
  void on_connect(wspush::Handle, wspush::Connect &connect) override {
    std::string room(connect.param("room").value());
    if (connect.rest() || connect.cookie("none")) throw std::runtime_error("there is neither");
    connect.attribute(Guest(room)).add_header("X-Room", room);
    if (connect.query("banned")) {
      connect.refuse(403, "banned");
      return;
    }
    connect.accept().broadcast(false).channel("room." + room);
  }
  void on_open(wspush::Handle handle, wspush::Session &session) override {
    if (handle.online(session.route()) == 0 || !session.is_open() || session.attribute<int>())
      throw std::runtime_error("it is online, with a guest");
    session.idle_timeout(600000);
    session.reply(session.attribute<Guest>()->room);
  }
  void on_message(wspush::Handle handle, wspush::Session &session, wspush::Message message) override {
    Guest &guest = *session.attribute<Guest>();
    guest.messages++;
    handle.publish("room." + guest.room, std::to_string(guest.messages) + ": " + std::string(message.data));
    if (message.data == "again") session.set_attribute(Guest(guest));
  }
  void on_close(wspush::Handle, const wspush::Closed &closed) override {
    Guest &guest = *closed.attribute<Guest>();
    if (closed.param("room") != guest.room || closed.route() != 0) throw std::runtime_error("another room");
    closed_with += guest.messages;
  }
};

int main() {
  try {
    wspush::Config config;
    config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
    uint32_t chat = config.route("/chat/{room}", std::make_shared<Chat>());
    wspush::Callbacks echoes;
    echoes.on_message = [](wspush::Handle, wspush::Session &session, wspush::Message m) { session.reply(m); };
    echoes.on_fragment = [](wspush::Handle, wspush::Session &session, wspush::Fragment piece) {
      session.send_fragment(piece);
    };
    wspush::RouteTerms terms;
    terms.pieces = wspush::Pieces::bounded;
    terms.message_bytes_max = 200;
    terms.idle_ms = 3600000;
    terms.subprotocols = {"echo.v1"};
    uint32_t echo = config.route("/echo/*", echoes, terms);
    try {
      config.route("/chat/{id}", echoes);
      return 1;
    } catch (const wspush::Error &error) {
      if (error.status() != WSPUSH_ECONFIG || chat != 0 || echo != 1) throw;
    }
    {
      wspush::Server server(config);
      // Each server has functions of its own.
      { wspush::Server other(config); }
      server.start();
      std::cout << "port " << server.port() << std::endl;
      auto list = [&](uint32_t route, uint32_t limit) {
        wspush::Promise<wspush::Sessions> promise;
        server.sessions(promise.take, route, 0, limit);
        wspush::Sessions page = promise.answer.get().value();
        for (size_t n = 0; n < page.sessions.size(); n++)
          std::cout << (n ? ", " : "") << page.sessions[n].route << " ";
        std::cout << (page.next ? " .." : "") << std::endl;
      };
      for (std::string line; std::getline(std::cin, line);) {
        if (line == "chat") list(chat, 100);
        if (line == "all") list(WSPUSH_NO_ROUTE, 2);
      }
      server.stop(1000);
    }
    if (alive != 0) throw std::runtime_error("a guest is still there");
    std::cout << "messages " << closed_with << std::endl;
    return 0;
  } catch (const std::exception &error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
