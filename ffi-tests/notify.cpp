// A notification service over wspush.hpp: threads of its own push, and ask how far it has come.
#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>

#include "wspush.hpp"

int main() {
  std::atomic<int> lines{0};
  wspush::Callbacks callbacks;
  callbacks.on_log = [&](int32_t level, std::string_view line) {
    if (level <= WSPUSH_LOG_INFO && line.find('\n') == line.npos) lines++;
  };
  wspush::Server server(wspush::Config().set("listen", "127.0.0.1:0").set("max_connections", 100), callbacks);
  server.start();
  std::cout << "port " << server.port() << std::endl;

  for (std::string line; std::getline(std::cin, line);) {
    std::vector<std::thread> threads;
    std::atomic<unsigned> complete{0};
    for (int n = 0; n < 4; n++)
      threads.emplace_back([&, n] {
        wspush_receipt receipt{};
        receipt.struct_size = sizeof receipt;
        std::string text = line + " " + std::to_string(n);
        while (server.try_broadcast(text, &receipt) == WSPUSH_EAGAIN) std::this_thread::yield();
        for (;;) {
          auto delivery = server.delivery(receipt);
          if (delivery && delivery->last_us >= 0 && delivery->written == delivery->recipients) break;
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        complete++;
      });
    for (auto &thread : threads) thread.join();
    std::cout << "delivered " << complete << std::endl;
  }
  server.stop();
  std::cout << (lines > 0 ? "logged" : "no log") << std::endl;
}
