// A club whose members are pages with pusher-js. The host decides who may have which private channel, in place of a
// backend that signs.
//   c++ -std=c++17 club.cpp $(pkg-config --cflags --libs wspush) -o club && ./club
//
// A page says who it is where a signature would stand: new Pusher("club", {..., channelAuthorization: {customHandler:
// ({channelName}, done) => done(null, {auth: "ada"})}}). Members come to private-hall at once, are seen in
// presence-lounge, and wait for the door of private-vault: type "yes ada" or "no ada". Argument: the address.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <mutex>
#include <wspush.hpp>

static bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c < 128 && std::isalnum(c); });
}

// Who waits for the vault: which question of which connection it is.
struct Waiting {
  std::mutex lock;
  std::map<std::string, std::pair<uint64_t, uint64_t>> names;
};

// Here a token says who it is; an example believes everybody.
static void on_authorize(Waiting &waiting, wspush::Authorization &asked) {
  std::string name(asked.auth());
  if (!is_name(name)) return; // A backend may have signed it.
  if (asked.channel().empty()) {
    asked.allow("{\"id\":\"" + name + "\"}");
  } else if (asked.channel() == "private-hall") {
    asked.allow();
  } else if (asked.channel() == "presence-lounge") {
    asked.allow("{\"user_id\":\"" + name + "\",\"user_info\":{}}");
  } else if (asked.channel() == "private-vault") {
    std::cout << name << " asks for the vault" << std::endl;
    std::lock_guard<std::mutex> guard(waiting.lock);
    waiting.names[name] = {asked.conn(), asked.number()};
    asked.pend();
  } else {
    asked.refuse("there is no such room");
  }
}

int main(int argc, char **argv) try {
  wspush::Config config;
  config.set("listen", argc > 1 ? argv[1] : "127.0.0.1:8080");
  config.set("pusher_app", "1 key=club secret=of-nobody");
  Waiting waiting;
  wspush::Callbacks callbacks;
  callbacks.on_authorize = [&waiting](wspush::Handle, wspush::Authorization &asked) { on_authorize(waiting, asked); };
  wspush::Server server(config, std::move(callbacks));
  server.start();
  std::cout << "ws://" << *server.address() << "/app/club" << std::endl;

  for (std::string line; std::getline(std::cin, line);) {
    std::size_t space = std::min(line.find(' '), line.size());
    std::string word = line.substr(0, space), name = line.substr(std::min(space + 1, line.size()));
    std::unique_lock<std::mutex> guard(waiting.lock);
    auto found = waiting.names.find(name);
    bool waits = found != waiting.names.end() && (word == "yes" || word == "no");
    auto [conn, number] = waits ? found->second : std::pair<uint64_t, uint64_t>();
    if (waits) waiting.names.erase(found);
    guard.unlock();
    if (!waits)
      std::cout << "yes NAME or no NAME, of one who waits" << std::endl;
    else if (word == "yes")
      server.authorize(conn, number);
    else
      server.refuse_authorization(conn, number, "the vault is for few");
  }
  server.stop(2000);
} catch (const std::exception &error) {
  std::cerr << "club: " << error.what() << std::endl;
  return 1;
}
