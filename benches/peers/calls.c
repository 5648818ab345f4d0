/* A program that embeds libwspush, to measure pushes that are calls and not requests: what is posted to it, it hands
 * to wspush_broadcast. All requests that have come whole are taken apart first; then come the calls, back to back; then
 * the answers. Usage: calls PORT ADMIN_PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wspush.h"

#define BUFFER_BYTES (4u << 20)
#define CALLS_MAX 10000u

struct body {
  const char *data;
  size_t length;
};

static wspush_server *server;
static char buffer[BUFFER_BYTES + 1];
static struct body bodies[CALLS_MAX];

static void must(int good, const char *what) {
  if (good) return;
  fprintf(stderr, "calls: %s: %s\n", what, wspush_last_error());
  exit(1);
}

/* The request at the beginning of `text`: its size, or 0 if it is not all there. */
static size_t request(const char *text, size_t size, struct body *body) {
  const char *end = memmem(text, size, "\r\n\r\n", 4);
  const char *field = end ? strcasestr(text, "\r\ncontent-length:") : NULL;
  size_t head;
  if (!end) return 0;
  must(field != NULL && field < end, "a request without Content-Length");
  head = (size_t)(end - text) + 4;
  body->data = text + head;
  body->length = strtoul(field + 17, NULL, 10);
  must(body->length < BUFFER_BYTES / 2, "a request that is too long");
  return head + body->length <= size ? head + body->length : 0;
}

static void broadcast(const struct body *body) {
  wspush_status status;
  while ((status = wspush_broadcast(server, WSPUSH_TEXT, body->data, body->length, NULL)) == WSPUSH_EAGAIN)
    sched_yield();
  must(status == WSPUSH_OK, "wspush_broadcast");
}

static void answer(int client, size_t count) {
  static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  for (size_t n = 0; n < count; n++)
    for (size_t sent = 0; sent < sizeof ok - 1;) {
      ssize_t got = send(client, ok + sent, sizeof ok - 1 - sent, MSG_NOSIGNAL);
      if (got <= 0) return;
      sent += (size_t)got;
    }
}

static void serve(int client) {
  size_t filled = 0;
  ssize_t got;
  while ((got = recv(client, buffer + filled, BUFFER_BYTES - filled, 0)) > 0) {
    size_t used = 0, count = 0, size;
    filled += (size_t)got;
    buffer[filled] = 0;
    while (count < CALLS_MAX && (size = request(buffer + used, filled - used, &bodies[count])) > 0) {
      used += size;
      count++;
    }
    for (size_t n = 0; n < count; n++) broadcast(&bodies[n]);
    answer(client, count);
    memmove(buffer, buffer + used, filled - used);
    filled -= used;
  }
}

static void configure(wspush_config *config, const char *name, const char *value) {
  must(wspush_config_set(config, name, strlen(name), value, strlen(value)) == WSPUSH_OK, name);
}

int main(int count, char **words) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  wspush_config *config = NULL;
  char listen_at[32];
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  if (count != 3) {
    fprintf(stderr, "usage: calls PORT ADMIN_PORT\n");
    return 2;
  }
  snprintf(listen_at, sizeof listen_at, "127.0.0.1:%s", words[1]);
  must(wspush_config_new(&config) == WSPUSH_OK, "wspush_config_new");
  configure(config, "listen", listen_at);
  configure(config, "max_connections", "19000");
  must(wspush_server_new(config, NULL, &server) == WSPUSH_OK, "wspush_server_new");
  wspush_config_free(config);
  must(wspush_server_start(server) == WSPUSH_OK, "wspush_server_start");
  address.sin_port = htons((uint16_t)strtoul(words[2], NULL, 10));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 16) == 0, "admin port");
  for (;;) {
    int client = accept(listener, NULL, NULL);
    if (client < 0) continue;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    serve(client);
    close(client);
  }
}
