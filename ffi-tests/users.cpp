// What is done with all connections of a user, in its order among everything else that a thread asks for.
#include <iostream>

#include "wspush.hpp"

int main() {
  wspush::Callbacks callbacks;
  callbacks.on_connect = [](wspush::Handle, wspush::Connect &connect) {
    connect.accept().user(connect.query("as").value());
  };
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
  wspush::Server server(config, std::move(callbacks));
  server.start();
  std::cout << "port " << server.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    server.publish("news", "nobody is there yet");
    server.publish_user("ann", "one");
    server.subscribe_user("ann", "news");
    server.publish("news", "two");
    server.unsubscribe_user("ann", "news");
    server.publish("news", "nobody is there any more");
    server.publish_user("eve", "she is away");
    server.broadcast("three");
    server.disconnect_user("ann", 4002, "enough");
    server.broadcast("four");
    server.disconnect_user("bob", 4003);
  }
  bool thrown = false;
  try {
    server.publish_user("", "nobody");
  } catch (const wspush::Error &error) {
    thrown = error.status() == WSPUSH_EINVAL;
  }
  server.stop(2000);
  std::cout << (thrown ? "ended" : "an empty name is no user") << std::endl;
}
