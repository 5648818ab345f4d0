// The same as settings.c, over wspush.hpp.
#include <iostream>
#include <vector>

#include "wspush.hpp"

int main(int argc, char **argv) {
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000);
  for (int n = 1; n < argc; n++) {
    std::string_view setting = argv[n];
    config.set(setting.substr(0, setting.find('=')), setting.substr(setting.find('=') + 1));
  }
  wspush::Server server(config);
  server.start();
  std::cout << "port " << server.port() << std::endl;
  wspush_receipt receipt{};
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "nodes") {
      try {
        server.nodes([](wspush::Handle, const wspush::Answer<std::vector<wspush::NodeInfo>> &nodes) {
          std::cout << "nodes";
          if (!nodes) std::cout << " away";
          else
            for (const wspush::NodeInfo &node : *nodes)
              if (node.since_ms > 0 && node.lease_ms <= 10000 && !node.run.empty() && !node.version.empty())
                std::cout << ' ' << node.name;
          std::cout << std::endl;
        });
      } catch (const wspush::Error &error) {
        std::cout << (error.status() == WSPUSH_EINVAL ? "nodes none" : error.what()) << std::endl;
      }
    } else if (line == "both") {
      using wspush::BatchItem;
      server.publish_batch({BatchItem::channel("later", "2"), BatchItem::channel("urgent", "1")});
      std::cout << "both" << std::endl;
    } else if (line == "slowly") {
      wspush::Terms slowly;
      slowly.rate = 1;
      receipt = server.publish_to({"broadcast"}, "slowly", slowly).receipts[0];
      std::cout << "slowly" << std::endl;
    } else if (line == "delivery") {
      auto now = server.delivery(receipt).value_or(wspush_delivery{});
      std::cout << now.recipients << ' ' << now.written << ' ' << now.lagging << std::endl;
    } else if (line.rfind("subscribe ", 0) == 0) {
      const char *said = "taken";
      try {
        server.subscribe(77, line.substr(10));
      } catch (const wspush::Error &error) {
        said = error.status() == WSPUSH_ECHANNELS ? "full" : "?";
      }
      std::cout << said << std::endl;
    } else {
      server.broadcast(line);
    }
  }
  server.stop();
}
