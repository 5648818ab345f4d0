// A callback that throws ends its session (1011), and no later callback sees that session again.
#include <iostream>

#include "wspush.hpp"

int main() {
  unsigned opened = 0, messages = 0, closed = 0;
  wspush::Callbacks callbacks;
  callbacks.on_connect = [](wspush::Handle, wspush::Connect &connect) {
    connect.accept().channel("news").broadcast(false);
    if (auto name = connect.query("name")) connect.user(*name);
  };
  callbacks.on_open = [&](wspush::Handle server, wspush::Session &session) {
    opened++;
    if (!session.user()) return;
    session.reply("hello");
    server.publish("news", "somebody has come");
    throw std::runtime_error("on_open");
  };
  callbacks.on_message = [&](wspush::Handle server, wspush::Session &session, wspush::Message message) {
    messages++;
    server.publish("news", message);
    session.reply("said");
    if (message.data == "close") session.close(4000, "as you wish");
    throw std::runtime_error("on_message");
  };
  callbacks.on_close = [&](wspush::Handle, const wspush::Closed &) { closed++; };
  callbacks.on_exception = [](std::exception_ptr) {};
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
  wspush::Server server(config, std::move(callbacks));
  server.start();
  std::cout << "port " << server.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server.stop(2000);
  std::cout << "opened " << opened << " messages " << messages << " closed " << closed << std::endl;
}
