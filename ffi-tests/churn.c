/* Ten thousand connections opened, messaged and closed, twenty times over: does memory come back? The clients live in a
 * child process, so that the numbers are the server's alone. Arguments: connections, rounds. */
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

/* After so many rounds everything is as large as it gets. */
#define WARM 3

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  (void)user_data, (void)server;
  MUST(wspush_session_reply(session, kind, data, length));
}

static long rss_kib(void) {
  long size, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  HOLDS(file != NULL && fscanf(file, "%ld %ld", &size, &resident) == 2);
  fclose(file);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void expect(int fd, const char *wanted) {
  char got[512];
  size_t length = strlen(wanted), have = 0;
  while (have < length) {
    ssize_t n = read(fd, got + have, length - have);
    HOLDS(n > 0);
    have += (size_t)n;
  }
  HOLDS(memcmp(got, wanted, length) == 0);
}

/* One round of clients. */
static void clients(uint16_t port, int count) {
  static const char hello[] =
      "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  static const char said[] = "\x81\x85\0\0\0\0hello", heard[] = "\x81\5hello";
  struct rlimit limit;
  int *fds = malloc((size_t)count * sizeof *fds);
  HOLDS(fds != NULL && getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  HOLDS(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  for (int n = 0; n < count; n++) {
    struct sockaddr_in to;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fds[n] = socket(AF_INET, SOCK_STREAM, 0);
    HOLDS(fds[n] >= 0);
    HOLDS(connect(fds[n], (struct sockaddr *)&to, sizeof to) == 0);
    HOLDS(write(fds[n], hello, sizeof hello - 1) == (ssize_t)sizeof hello - 1);
  }
  for (int n = 0; n < count; n++) {
    char c, last[4] = {0};
    while (memcmp(last, "\r\n\r\n", 4) != 0) { /* the answer's end */
      HOLDS(read(fds[n], &c, 1) == 1);
      memmove(last, last + 1, 3);
      last[3] = c;
    }
    HOLDS(write(fds[n], said, sizeof said - 1) == (ssize_t)sizeof said - 1);
  }
  for (int n = 0; n < count; n++) expect(fds[n], heard);
  for (int n = 0; n < count; n++) {
    /* A reset, so that no port stays behind in TIME_WAIT. */
    struct linger linger = {1, 0};
    HOLDS(setsockopt(fds[n], SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    close(fds[n]);
  }
  free(fds);
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 10000, rounds = argc > 2 ? atoi(argv[2]) : 20;
  long first = 0, last = 0;
  uint16_t port;
  wspush_callbacks callbacks;
  wspush_config *config = host_config();
  wspush_server *server;
  wspush_stats stats;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_message = on_message;
  MUST(wspush_config_set_int(config, WSPUSH_STR("max_connections"), count + 10));
  /* A handshake's deadline is remembered until it is over, 16 bytes each, also of a connection that has gone. */
  MUST(wspush_config_set_int(config, WSPUSH_STR("handshake_ms"), 5000));
  MUST(wspush_server_new(config, &callbacks, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  MUST(wspush_server_port(server, &port));
  stats.struct_size = sizeof stats;
  for (int round = 1; round <= rounds; round++) {
    int status = -1;
    pid_t child = fork();
    HOLDS(child >= 0);
    if (child == 0) {
      clients(port, count);
      _exit(0);
    }
    HOLDS(waitpid(child, &status, 0) == child && status == 0);
    do {
      usleep(1000);
      MUST(wspush_server_stats(server, &stats));
    } while (stats.connections > 0 || stats.closing > 0);
    HOLDS(stats.messages_in == (uint64_t)count * (uint64_t)round);
    last = rss_kib();
    if (round == WARM) first = last;
    fprintf(stderr, "round %d: %ld KiB\n", round, last);
  }
  MUST(wspush_server_free(server));
  printf("%d connections: %ld KiB after round %d, %ld KiB after round %d\n", count, first, WARM, last, rounds);
  return last > first + first / 10;
}
