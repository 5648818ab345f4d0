// Three reactors and one loop of the host's for all of them: callbacks come from its thread alone. With "threads" the
// server has its own, callbacks run on them at the same time, and one of them destroys the server.
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "one_loop.hpp"

namespace fs = std::filesystem;

static wspush::Config config() {
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "warn").set("max_connections", 1000).set("reactors", 3);
  return config;
}

static void one_loop() {
  std::map<uint64_t, std::set<std::thread::id>> threads;
  unsigned closed = 0;
  wspush::Callbacks callbacks;
  callbacks.on_message = [&](wspush::Handle, wspush::Session &session, wspush::Message message) {
    threads[session.id() >> 58].insert(std::this_thread::get_id());
    session.reply(message);
  };
  callbacks.on_close = [&](wspush::Handle, const wspush::Closed &) { closed++; };
  wspush::Server server(config(), std::move(callbacks));
  drive(server);
  size_t own = 0;
  for (auto &of : threads) own += of.second == std::set<std::thread::id>{std::this_thread::get_id()};
  std::cout << "reactors " << threads.size() << " on this thread " << own << " closed " << closed << std::endl;
}

static void at_the_same_time() {
  std::mutex lock;
  std::condition_variable met;
  unsigned waiting = 0, destroyed = 0;
  bool left = false;
  std::unique_ptr<wspush::Server> server;
  wspush::Callbacks callbacks;
  callbacks.on_message = [&](wspush::Handle, wspush::Session &session, wspush::Message message) {
    std::unique_lock<std::mutex> held(lock);
    if (message.data == "meet") {
      // Each is inside until all three are.
      waiting++;
      met.notify_all();
      met.wait(held, [&] { return waiting == 3; });
      session.reply("met");
    } else if (message.data == "stay") {
      waiting++;
      met.notify_all();
      met.wait_for(held, std::chrono::milliseconds(300), [&] { return destroyed > 0; });
      // Whoever destroys the server has waited for this.
      left = destroyed == 0;
    } else {
      met.wait(held, [&] { return waiting == 4; });
      held.unlock();
      server.reset();
      held.lock();
      destroyed++;
      std::cout << (left ? "waited" : "did not wait") << std::endl;
    }
  };
  server = std::make_unique<wspush::Server>(config(), std::move(callbacks));
  server->start();
  std::cout << "port " << server->port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  // The thread that frees it has to come to its end.
  while (std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator()) > 1)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::lock_guard<std::mutex> held(lock);
  std::cout << "destroyed " << destroyed << std::endl;
}

int main(int argc, char **) {
  if (argc > 1) at_the_same_time();
  else one_loop();
}
