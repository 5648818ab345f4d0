// Notifications for one user, kept while it is away.
//   c++ -std=c++17 inbox.cpp $(pkg-config --cflags --libs wspush) -o inbox && ./inbox
// Then connect to ws://127.0.0.1:8080/ws?as=ada and type "ada: your parcel is here". "ada?" shows what her inbox has.
//
// Each user has a channel, and all its connections receive it. A client that comes back says where it was (&since=E.O:
// Wspush-Position and the envelopes of wspush.v1 tell it), and gets what it has missed; a new one gets all that is kept.
// Argument: the address to push on.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <wspush.hpp>

static bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c < 128 && std::isalnum(c); });
}

static std::string inbox(std::string_view user) { return "inbox." + std::string(user); }

// Here a cookie or a token says who it is; an example believes everybody.
static void on_connect(wspush::Handle, wspush::Connect &connect) {
  std::string user(connect.query("as").value_or(""));
  if (!is_name(user)) {
    connect.refuse(401, "who are you? connect to /ws?as=YOU");
    return;
  }
  try {
    std::string since(connect.query("since").value_or("earliest"));
    connect.accept().user(user).broadcast(false).channel(inbox(user)).since(inbox(user), since);
  } catch (const wspush::Error &error) {
    connect.refuse(400, error.what());
  }
}

// Prints the ten newest of an inbox. The answer comes on the server's thread.
static void show(const wspush::Server &server, std::string_view user) {
  server.history(inbox(user), {"last:10"}, [](wspush::Handle, const wspush::Answer<wspush::History> &page) {
    if (page.status() == WSPUSH_ENOTFOUND) std::cout << "nothing was ever there" << std::endl;
    if (!page) return;
    for (const wspush::Publication &past : page->publications) std::cout << past.offset << ": " << past.data << "\n";
    std::cout << std::flush;
  });
}

int main(int argc, char **argv) try {
  wspush::Config config;
  config.set("listen", argc > 1 ? argv[1] : "127.0.0.1:8080");
  wspush::Callbacks callbacks;
  callbacks.on_connect = on_connect;
  wspush::Server server(config, std::move(callbacks));
  server.start();
  std::cout << "ws://" << *server.address() << "/ws?as=NAME" << std::endl;

  for (std::string line; std::getline(std::cin, line);) {
    std::size_t end = std::min(line.find_first_of(":?"), line.size());
    std::string_view user = std::string_view(line).substr(0, end);
    if (!is_name(user) || end == line.size()) {
      std::cout << "NAME: what there is to say, or NAME?" << std::endl;
    } else if (line[end] == '?') {
      show(server, user);
    } else {
      std::size_t begin = std::min(line.find_first_not_of(' ', end + 1), line.size());
      wspush_receipt receipt{};
      receipt.struct_size = sizeof receipt;
      if (server.try_publish(inbox(user), line.substr(begin), &receipt) < 0)
        std::cerr << "not pushed: " << wspush_last_error() << std::endl;
      else
        std::cout << user << " has " << receipt.offset << std::endl;
    }
  }
  server.stop(2000);
} catch (const std::exception &error) {
  std::cerr << "inbox: " << error.what() << std::endl;
  return 1;
}
