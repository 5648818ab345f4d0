// A host with an app of the Pusher Channels protocol, whose events it publishes itself.
#include <iostream>

#include "wspush.hpp"

int main() {
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
  config.set("pusher_app", "3 key=k secret=s client_events=true");
  wspush::Server server(config, wspush::Callbacks());
  server.start();
  std::cout << "port " << server.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    server.publish("pusher/3/news", R"({"event":"greet","channel":"news","data":")" + line + R"("})");
  }
  server.stop(2000);
  std::cout << "ended" << std::endl;
}
