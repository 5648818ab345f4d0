// A chat over wspush.hpp: names from the request, rooms as channels, exceptions in callbacks.
#include <iostream>

#include "wspush.hpp"

int main() {
  wspush::Callbacks callbacks;
  callbacks.on_connect = [](wspush::Handle server, wspush::Connect &connect) {
    auto name = connect.query("name");
    if (!name) {
      connect.refuse(401, "who are you?");
      return;
    }
    if (*name == "nobody") throw std::runtime_error("nobody connects");
    if (connect.query("later")) {
      uint64_t conn = connect.pending();
      if (*name == "Eve")
        server.refuse_pending(conn, 403, "not today");
      else
        server.accept_pending(conn, *name, "lobby,attic", false);
      return;
    }
    connect.accept().user(*name).broadcast(false).channel("lobby");
    for (auto channel : connect.channels()) connect.channel(channel);
  };
  callbacks.on_open = [](wspush::Handle server, wspush::Session &session) {
    server.publish("lobby", std::string(session.user().value()) + " has joined");
  };
  callbacks.on_message = [](wspush::Handle server, wspush::Session &session, wspush::Message message) {
    if (!message.is_text()) throw std::invalid_argument("this chat is text");
    if (message.data == "to me") {
      server.send(session.id(), wspush::Message::binary("\x00\xff", 2));
    } else if (message.data.substr(0, 5) == "join ") {
      session.subscribe(message.data.substr(5)); // throws if that is no channel's name
      session.reply("joined");
    } else {
      server.publish("lobby", std::string(session.user().value()) + ": " + std::string(message.data));
    }
  };
  callbacks.on_close = [](wspush::Handle server, const wspush::Closed &closed) {
    server.try_publish("lobby", std::string(closed.user.value()) + " has left"); // none while draining
    throw 42;
  };
  callbacks.on_exception = [](std::exception_ptr exception) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception &error) {
      std::cout << "caught " << error.what() << std::endl;
    } catch (int) {
    }
  };

  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000).set("demo", false);
  wspush::Server server(config, std::move(callbacks));
  server.start();
  wspush::Server moved = std::move(server);
  std::cout << "port " << moved.port() << std::endl;

  for (std::string line; std::getline(std::cin, line);) {
    wspush_receipt receipt = moved.publish("lobby", "* " + line);
    std::cout << "published " << receipt.offset << std::endl;
  }
  moved.stop(2000);
  try {
    moved.broadcast("late");
  } catch (const wspush::Error &error) {
    std::cout << (error.status() == WSPUSH_ESTOPPED ? "stopped" : error.what()) << std::endl;
  }
}
