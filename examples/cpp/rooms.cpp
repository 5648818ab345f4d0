// A chat with rooms at paths of their own, and an echo beside it.
//   c++ -std=c++17 rooms.cpp $(pkg-config --cflags --libs wspush) -o rooms && ./rooms
// Then connect to ws://127.0.0.1:8080/chat/lobby?name=Ada, twice. Argument: the address to listen on.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <limits>
#include <wspush.hpp>

// Kept by the connection of each guest.
struct Guest {
  std::string name, channel;
  unsigned long messages = 0;
};

// One object for all rooms.
class Chat : public wspush::Endpoint {
public:
  void on_connect(wspush::Handle, wspush::Connect &connect) override {
    auto name = connect.query("name");
    if (!name) name = connect.cookie("name");
    std::string room(connect.param("room").value_or(""));
    if (!name) {
      connect.refuse(400, "who are you? connect to /chat/ROOM?name=YOU");
      return;
    }
    // A room's name is anything that a path can say, and a channel's name is not.
    if (!std::all_of(room.begin(), room.end(), [](unsigned char c) { return c < 128 && std::isalnum(c); })) {
      connect.refuse(404, "rooms have letters and digits");
      return;
    }
    std::string channel = "room." + room;
    connect.accept().broadcast(false).channel(channel).attribute(Guest{std::string(*name), channel});
  }
  void on_open(wspush::Handle handle, wspush::Session &session) override {
    session.idle_timeout(3600 * 1000);
    Guest &guest = *session.attribute<Guest>();
    handle.publish(guest.channel, "* " + guest.name + " has joined");
  }
  void on_message(wspush::Handle handle, wspush::Session &session, wspush::Message message) override {
    if (!message.is_text()) return session.close(1003, "this chat is text");
    Guest &guest = *session.attribute<Guest>();
    guest.messages++;
    handle.publish(guest.channel, guest.name + ": " + std::string(message.data));
  }
  void on_close(wspush::Handle handle, const wspush::Closed &closed) override {
    Guest &guest = *closed.attribute<Guest>();
    // A server that has stopped takes nothing more.
    std::string line = "* " + guest.name + " has left after " + std::to_string(guest.messages) + " messages";
    if (handle.try_publish(guest.channel, line) < 0) std::cerr << "rooms: not told: " << wspush_last_error() << "\n";
  }
};

int main(int argc, char **argv) {
  try {
    wspush::Config config;
    if (argc > 1) config.set("listen", argv[1]);
    wspush::RouteTerms terms;
    terms.message_bytes_max = 1000;
    config.route("/chat/{room}", std::make_shared<Chat>(), terms);
    wspush::Callbacks echo;
    echo.on_message = [](wspush::Handle, wspush::Session &session, wspush::Message m) { session.reply(m); };
    config.route("/echo", echo);

    wspush::Server server(config);
    server.start();
    std::cout << "ws://" << server.address().value() << "/chat/ROOM?name=NAME" << std::endl;
    // Until the end of the input.
    std::cin.ignore(std::numeric_limits<std::streamsize>::max());
    server.stop(2000);
  } catch (const std::exception &problem) {
    std::cerr << "rooms: " << problem.what() << std::endl;
    return 1;
  }
}
