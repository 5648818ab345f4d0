// What a host is told of the token that a client shows, and how it takes a user's tokens back.
#include <iostream>

#include "wspush.hpp"

int main() {
  wspush::Callbacks callbacks;
  // on_open of the same client comes right behind its on_connect.
  std::string told;
  callbacks.on_connect = [&told](wspush::Handle, wspush::Connect &connect) {
    told = std::string(connect.user().value_or("-")) + "|" + std::string(connect.info().value_or("-")) + "|" +
           std::string(connect.claims().value_or("-"));
  };
  callbacks.on_open = [&told](wspush::Handle, wspush::Session &session) { session.reply(told); };
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
  config.set("auth", "optional").set("auth_secret", "a_secret_of_more_than_32_bytes_0123456");
  wspush::Server server(config, std::move(callbacks));
  server.start();
  std::cout << "port " << server.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) server.revoke_user("ann", 4001);
  server.stop(2000);
  std::cout << "ended" << std::endl;
}
