// Servers that are destroyed and replaced inside callbacks: their own and those of others, started and polled. Each has
// a guest that refers to memory which goes with its owner, so that a callback behind that is a use after free.
#include <dirent.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "wspush.hpp"

using wspush::Handle;
using wspush::Message;
using wspush::Session;

// What the guests' callbacks refer to.
struct Memory {
  unsigned messages = 0;
};

static std::mutex guests;
static unsigned callbacks_alive = 0;

// Lives as long as the callbacks that hold it.
struct Held {
  Held() {
    std::lock_guard<std::mutex> lock(guests);
    callbacks_alive++;
  }
  ~Held() {
    std::lock_guard<std::mutex> lock(guests);
    callbacks_alive--;
  }
};

struct Guest {
  std::unique_ptr<Memory> memory = std::make_unique<Memory>();
  std::unique_ptr<wspush::Server> server;
};

static wspush::Config config() {
  wspush::Config config;
  config.set("listen", "127.0.0.1:0").set("log_level", "off").set("max_connections", 1000);
  return config;
}

static void end(Guest &guest) {
  guest.server.reset();
  guest.memory.reset();
}

static wspush::Server make(Guest &guest) {
  wspush::Callbacks callbacks;
  Memory &memory = *guest.memory;
  auto held = std::make_shared<Held>();
  callbacks.on_message = [&guest, &memory, held](Handle, Session &session, Message message) {
    memory.messages++;
    if (message.data == "end") return end(guest);
    session.reply(message);
  };
  callbacks.on_close = [&memory, held](Handle, const wspush::Closed &) { memory.messages++; };
  return wspush::Server(config(), std::move(callbacks));
}

static void renew(Guest &guest) {
  guest.memory = std::make_unique<Memory>();
  guest.server = std::make_unique<wspush::Server>(make(guest));
}

// Its callbacks end or replace the guest.
static wspush::Callbacks owner(Guest &guest) {
  wspush::Callbacks callbacks;
  callbacks.on_message = [&guest](Handle, Session &session, Message message) {
    if (message.data == "end") {
      end(guest);
    } else if (message.data == "replace") {
      auto old = std::move(guest.memory);
      guest.memory = std::make_unique<Memory>();
      *guest.server = make(guest);
    }
    session.reply(message);
  };
  return callbacks;
}

// Waits until no callback of a guest is left and no thread but this one and the host's.
static void wait_for_the_end(unsigned threads) {
  for (;;) {
    unsigned alive = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (readdir(tasks)) alive++;
    closedir(tasks);
    std::unique_lock<std::mutex> lock(guests);
    // `.` and `..` are no threads.
    if (callbacks_alive == 0 && alive - 2 <= threads) return;
    lock.unlock();
    usleep(1000);
  }
}

int main() {
  Guest guest;
  std::thread poller;
  wspush::Server host(config(), owner(guest));
  host.start();
  std::cout << "port " << host.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "start") {
      renew(guest);
      guest.server->start();
    } else if (line == "start the next") {
      guest.server->start();
    } else if (line == "poll") {
      renew(guest);
      // It is ended by a callback of its own, inside of the poll.
      poller = std::thread([&guest] {
        while (guest.server && guest.server->poll()) {
        }
      });
    } else if (line == "join") {
      poller.join();
      std::cout << "joined" << std::endl;
      continue;
    } else if (line == "ended") {
      wait_for_the_end(2);
      std::cout << line << std::endl;
      continue;
    }
    std::cout << guest.server->port() << std::endl;
  }
  host.stop(2000);
  wait_for_the_end(1);
}
