// A host that serves some transports, and is told by which of them a client wants to be pushed to.
#include <iostream>

#include "wspush.hpp"

int main() {
  wspush::Callbacks callbacks;
  callbacks.on_connect = [](wspush::Handle, wspush::Connect &connect) {
    if (connect.transport() != wspush::Transport::sse) connect.refuse(403, wspush::name_of(connect.transport()));
  };
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
  config.transports({wspush::Transport::ws, wspush::Transport::sse, wspush::Transport::stream});
  wspush::Server server(config, std::move(callbacks));
  server.start();
  std::cout << "port " << server.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    // The numbers are those of the last turn, and the answer to the client is of this one.
    while (server.stats().connections == 0) std::this_thread::yield();
    std::cout << server.stats().connections_sse << " of " << server.stats().connections << std::endl;
  }
  server.stop(2000);
  std::cout << "ended" << std::endl;
}
