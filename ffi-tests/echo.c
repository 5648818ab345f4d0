/* An echo: what a client says it gets back, on a thread of the library's. */
#include "host.h"

struct counts {
  unsigned opened, messages, closed;
};

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  uint64_t conn = 0;
  (void)server;
  MUST(wspush_session_id(session, &conn));
  HOLDS(conn != 0);
  ((struct counts *)user_data)->opened++;
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  (void)server;
  ((struct counts *)user_data)->messages++;
  if (length == 4 && memcmp(data, "quit", 4) == 0)
    MUST(wspush_session_close(session, 4000, WSPUSH_STR("as you wish")));
  else if (length > 0)
    MUST(wspush_session_reply(session, kind, data, length));
}

static void on_close(void *user_data, wspush_server *server, uint64_t conn, const char *user, size_t user_length,
                     uint16_t code, const char *reason, size_t reason_length) {
  (void)server, (void)user, (void)reason, (void)reason_length;
  HOLDS(conn != 0 && user_length == 0 && code >= 1000);
  ((struct counts *)user_data)->closed++;
}

int main(void) {
  struct counts counts = {0, 0, 0};
  wspush_callbacks callbacks;
  char line[80];
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.user_data = &counts;
  callbacks.on_open = on_open;
  callbacks.on_message = on_message;
  callbacks.on_close = on_close;

  wspush_server *server = host_server(&callbacks);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
  }
  MUST(wspush_server_stop(server, 2000));
  GIVES(WSPUSH_ESTOPPED, wspush_broadcast(server, WSPUSH_TEXT, WSPUSH_STR("late"), NULL));
  MUST(wspush_server_free(server));
  printf("opened %u messages %u closed %u\n", counts.opened, counts.messages, counts.closed);
  return 0;
}
