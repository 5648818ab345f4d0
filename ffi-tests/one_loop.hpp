// One loop of a host's own for all reactors of its server. What is said on standard input goes to everybody; its end drains.
#ifndef ONE_LOOP_HPP
#define ONE_LOOP_HPP

#include <poll.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "wspush.hpp"

inline void drive(wspush::Server &server) {
  std::cout << "port " << server.port() << std::endl;
  std::vector<bool> runs(server.reactors(), true);
  bool asks = true;
  while (std::find(runs.begin(), runs.end(), true) != runs.end()) {
    std::vector<pollfd> waits{{asks ? 0 : -1, POLLIN, 0}};
    int timeout = -1;
    for (uint32_t n = 0; n < runs.size(); n++) {
      if (!runs[n]) continue;
      waits.push_back({server.reactor_fd(n), POLLIN, 0});
      int own = server.reactor_timeout(n);
      timeout = timeout < 0 ? own : own < 0 ? timeout : std::min(timeout, own);
    }
    poll(waits.data(), waits.size(), timeout);
    std::string line;
    if (asks && waits[0].revents) {
      asks = static_cast<bool>(std::getline(std::cin, line));
      if (asks) server.broadcast(line);
      else server.drain(5000);
    }
    for (uint32_t n = 0; n < runs.size(); n++) runs[n] = runs[n] && server.poll_reactor(n, 0);
  }
}

#endif
