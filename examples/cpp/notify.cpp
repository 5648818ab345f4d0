// Online notification: a form posts, and everybody who has the page open gets it.
//   c++ -std=c++17 notify.cpp $(pkg-config --cflags --libs wspush) -o notify && ./notify
// Then open http://127.0.0.1:8000/ twice. Arguments: the form's port, the address to push on.
#include <arpa/inet.h>
#include <unistd.h>

#include <iostream>
#include <wspush.hpp>

static std::string page(std::string_view address) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n"
         "<!doctype html><title>notify</title><form method=post><input name=message autofocus><button>Tell everybody"
         "</button></form><ul id=news></ul><script>new WebSocket('ws://" + std::string(address) +
         "/ws').onmessage = function (e) { var li = document.createElement('li'); li.textContent = e.data;"
         "news.prepend(li) }</script>\n";
}

// "a%20b+c" is "a b c".
static std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t n = 0; n < text.size(); n++) {
    if (text[n] == '%' && n + 2 < text.size()) {
      out += static_cast<char>(std::strtol(std::string(text.substr(n + 1, 2)).c_str(), nullptr, 16));
      n += 2;
    } else
      out += text[n] == '+' ? ' ' : text[n];
  }
  return out;
}

int main(int argc, char **argv) try {
  sockaddr_in form{};
  socklen_t size = sizeof form;
  form.sin_family = AF_INET;
  form.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  form.sin_port = htons(static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8000));
  int listener = socket(AF_INET, SOCK_STREAM, 0), client;
  if (bind(listener, reinterpret_cast<sockaddr *>(&form), size) < 0 || listen(listener, 16) < 0)
    throw std::runtime_error("the form's port is taken");
  getsockname(listener, reinterpret_cast<sockaddr *>(&form), &size);

  // The page comes from another port, and so from another origin: without this a browser that has a cookie for this
  // host, of whatever program, would be refused.
  std::string port = std::to_string(ntohs(form.sin_port));
  wspush::Config config;
  config.set("listen", argc > 2 ? argv[2] : "127.0.0.1:8080");
  config.set("origins", "http://127.0.0.1:" + port + ",http://localhost:" + port);
  wspush::Server server(config);
  server.start();
  std::cout << "form on http://127.0.0.1:" << port << "/, pushing on " << *server.address() << std::endl;

  while ((client = accept(listener, nullptr, nullptr)) >= 0) { // one small request at a time: it is an example
    char buffer[4096];
    ssize_t length = read(client, buffer, sizeof buffer);
    std::string_view request(buffer, length > 0 ? static_cast<std::size_t>(length) : 0);
    std::string answer = page(*server.address());
    std::size_t at = request.find("\r\n\r\nmessage=");
    if (request.substr(0, 4) == "POST" && at != request.npos) {
      if (server.try_broadcast(decoded(request.substr(at + 12))) < 0)
        std::cerr << "notify: not pushed: " << wspush_last_error() << std::endl;
      answer = "HTTP/1.1 303 See Other\r\nLocation: /\r\nConnection: close\r\n\r\n";
    }
    if (write(client, answer.data(), answer.size()) < 0) std::cerr << "notify: the browser has gone" << std::endl;
    close(client);
  }
} catch (const std::exception &error) {
  std::cerr << "notify: " << error.what() << std::endl;
  return 1;
}
