/* A host with an epoll loop of its own: standard input and the server, on one thread. A line goes to everybody; what
 * a client says is printed. The loop ends when the server has drained. */
#include <sys/epoll.h>
#include <unistd.h>

#include "host.h"

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  int32_t timeout_ms = -2;
  (void)user_data, (void)session, (void)kind;
  printf("said %.*s\n", (int)length, (const char *)data);
  fflush(stdout);
  /* What can't be done in here says so. */
  GIVES(WSPUSH_EWRONGTHREAD, wspush_server_poll(server, 0));
  GIVES(WSPUSH_EWRONGTHREAD, wspush_server_start(server));
  GIVES(WSPUSH_EWRONGTHREAD, wspush_server_stop(server, 0));
  GIVES(WSPUSH_EWRONGTHREAD, wspush_server_free(server));
  GIVES(WSPUSH_OK, wspush_server_timeout(server, &timeout_ms));
  HOLDS(timeout_ms == 0);
}

static void watch(int epoll, int fd) {
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  event.data.fd = fd;
  HOLDS(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

int main(void) {
  wspush_callbacks callbacks;
  int epoll = epoll_create1(EPOLL_CLOEXEC), running = 1;
  int32_t fd = -1, timeout_ms = 0;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_message = on_message;
  wspush_server *server = host_server(&callbacks);
  MUST(wspush_server_fd(server, &fd));
  watch(epoll, fd);
  watch(epoll, STDIN_FILENO);
  host_say_port(server);
  while (running) {
    struct epoll_event events[8];
    MUST(wspush_server_timeout(server, &timeout_ms));
    int n = epoll_wait(epoll, events, 8, timeout_ms);
    for (int i = 0; i < n; i++) {
      char line[256];
      if (events[i].data.fd != STDIN_FILENO) continue;
      ssize_t length = read(STDIN_FILENO, line, sizeof line);
      if (length > 0) {
        MUST(wspush_broadcast(server, WSPUSH_TEXT, line, (size_t)length - 1, NULL));
      } else {
        HOLDS(epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL) == 0);
        MUST(wspush_server_drain(server, 1000));
      }
    }
    running = MUST(wspush_server_poll(server, 0)) != WSPUSH_DONE;
  }
  GIVES(WSPUSH_ESTOPPED, wspush_server_poll(server, 0));
  GIVES(WSPUSH_ESTOPPED, wspush_server_timeout(server, &timeout_ms));
  MUST(wspush_server_stop(server, 0));
  MUST(wspush_server_free(server));
  close(epoll);
  puts("drained");
  return 0;
}
