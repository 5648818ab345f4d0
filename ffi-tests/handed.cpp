// The same in C++: two reactors, which one loop of the host's drives, and a route, whose sessions come over to the
// route of the same pattern. Arguments: the path, a name that replies carry, and whether another route is added in front of it.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "one_loop.hpp"

struct Room : wspush::Endpoint {
  std::string name;
  unsigned opened = 0, taken = 0, closed = 0;

  explicit Room(std::string own) : name(std::move(own)) {}
  void on_connect(wspush::Handle, wspush::Connect &connect) override { connect.accept(); }
  void on_open(wspush::Handle, wspush::Session &session) override {
    opened++;
    session.reply("opened by " + name);
  }
  void on_taken_over(wspush::Handle, wspush::Session &session) override {
    taken++;
    session.reply("taken over by " + name);
  }
  void on_message(wspush::Handle, wspush::Session &session, wspush::Message message) override {
    session.reply(name + ": " + std::string(message.data));
  }
  void on_close(wspush::Handle, const wspush::Closed &) override { closed++; }
};

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000).set("reactors", 2);
  config.set("handover", argv[1]);
  auto room = std::make_shared<Room>(argv[2]);
  if (argc > 3) config.route("/other", std::make_shared<Room>("other"));
  config.route("/room/{name}", room);
  unsigned taken = 0;
  wspush::Callbacks callbacks;
  callbacks.on_message = [](wspush::Handle, wspush::Session &session, wspush::Message m) { session.reply(m); };
  callbacks.on_taken_over = [&](wspush::Handle, wspush::Session &) { taken++; };
  wspush::Server server(config, std::move(callbacks));
  if (auto handed = server.handover()) std::cout << "handed " << *handed << std::endl;
  drive(server);
  std::cout << "opened " << room->opened << " taken " << room->taken << " and " << taken << " closed " << room->closed
            << std::endl;
}
