/* One session from any thread: control frames, limits, what waits for it, its close; and refusals with headers. */
#include "host.h"

/* The session that commands are about. */
static uint64_t first;
static uint32_t route;
static unsigned pongs, closed, freed;

static void free_guest(void *guest) {
  HOLDS(strcmp(guest, "guest") == 0);
  freed++;
}

/* Decides about a client that waits, here at once. */
static void decide(wspush_server *server, uint64_t conn, int may_come_in) {
  static char guest[] = "guest";
  const wspush_str headers[] = {{"X-Late", 6}, {"yes", 3}}, since[] = {{"news", 4}, {"last:1", 6}};
  wspush_acceptance accepted;
  wspush_refusal refused;
  memset(&accepted, 0, sizeof accepted);
  memset(&refused, 0, sizeof refused);
  accepted.struct_size = sizeof accepted, refused.struct_size = sizeof refused;
  refused.headers = accepted.headers = headers, refused.headers_count = 1;
  refused.status = 429, refused.reason = "later still", refused.reason_length = 11;
  GIVES(WSPUSH_EINVAL, wspush_refuse_pending_with(server, conn, &refused));
  refused.headers_count = accepted.headers_count = 2;
  if (!may_come_in) {
    MUST(wspush_refuse_pending_with(server, conn, &refused));
    return;
  }
  accepted.channels = "news", accepted.channels_length = 4, accepted.no_broadcast = 1;
  accepted.since = since, accepted.since_count = 2;
  accepted.protocol = "b", accepted.protocol_length = 1;
  accepted.attribute = guest, accepted.free_attribute = free_guest;
  /* If it fails the attribute is the host's still. */
  GIVES(WSPUSH_EINVAL, wspush_accept_pending_with(server, 0, &accepted));
  HOLDS(freed == 0);
  MUST(wspush_publish(server, WSPUSH_STR("news"), WSPUSH_TEXT, "old", 3, NULL));
  MUST(wspush_accept_pending_with(server, conn, &accepted));
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str asked;
  int32_t is_secure = 9;
  (void)user_data, (void)server;
  MUST(wspush_connect_is_secure(connect, &is_secure));
  HOLDS(is_secure == 0);
  if (wspush_connect_query(connect, WSPUSH_STR("later"), &asked) == WSPUSH_OK) {
    uint64_t conn = 0;
    MUST(wspush_connect_pending(connect, &conn));
    decide(server, conn, asked.data[0] == 'y');
    return;
  }
  if (wspush_connect_query(connect, WSPUSH_STR("refused"), &asked) != WSPUSH_OK) return;
  MUST(wspush_connect_add_header(connect, WSPUSH_STR("WWW-Authenticate"), WSPUSH_STR("Bearer")));
  MUST(wspush_connect_refuse(connect, 401, WSPUSH_STR("log in")));
}

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  int32_t is_secure = 9;
  (void)user_data, (void)server;
  void *guest = NULL;
  MUST(wspush_session_id(session, &first));
  if (wspush_session_attribute(session, &guest) == WSPUSH_OK) HOLDS(strcmp(guest, "guest") == 0);
  MUST(wspush_session_is_secure(session, &is_secure));
  HOLDS(is_secure == 0);
  MUST(wspush_session_reply(session, WSPUSH_TEXT, "open", 4));
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  static const char long_text[126];
  (void)user_data, (void)server;
  if (length == 4 && memcmp(data, "beat", 4) == 0) {
    GIVES(WSPUSH_EINVAL, wspush_session_ping(session, long_text, sizeof long_text));
    GIVES(WSPUSH_EINVAL, wspush_session_pong(session, long_text, sizeof long_text));
    MUST(wspush_session_ping(session, "a", 1));
    MUST(wspush_session_ping(session, NULL, 0));
    MUST(wspush_session_pong(session, long_text, sizeof long_text - 1));
  }
  MUST(wspush_session_reply(session, kind, data, length));
}

static void on_pong(void *user_data, wspush_server *server, wspush_session *session, const void *data,
                    size_t length) {
  (void)user_data, (void)server;
  pongs++;
  MUST(wspush_session_reply(session, WSPUSH_BINARY, data, length));
}

static void on_close(void *user_data, wspush_server *server, uint64_t conn, const char *user, size_t user_length,
                     uint16_t code, const char *reason, size_t reason_length) {
  (void)user_data, (void)server, (void)conn, (void)user, (void)user_length, (void)code, (void)reason, (void)reason_length;
  closed++;
}

/* Says what is known of the session. */
static void on_session(void *user_data, wspush_server *server, wspush_status status, const wspush_answer *answer) {
  wspush_session_info info;
  wspush_str name, value;
  (void)user_data, (void)server;
  if (status == WSPUSH_ENOTFOUND) {
    printf("gone\n");
  } else {
    HOLDS(status == WSPUSH_OK);
    info.struct_size = sizeof info;
    MUST(wspush_answer_session(answer, 0, &info));
    HOLDS(info.conn == first && info.is_secure == 0);
    printf("%s", info.outbox_bytes > 0 ? "waits" : "nothing waits");
    for (size_t n = 0; wspush_answer_session_param_at(answer, 0, n, &name, &value) == WSPUSH_OK; n++)
      printf(" %.*s=%.*s", (int)name.length, name.data, (int)value.length, value.data);
    printf("\n");
  }
  fflush(stdout);
}

int main(void) {
  wspush_callbacks callbacks;
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  char line[80];
  char *much = calloc(1, 60000);
  HOLDS(much != NULL);
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_connect = on_connect, callbacks.on_open = on_open, callbacks.on_message = on_message;
  callbacks.on_pong = on_pong, callbacks.on_close = on_close;
  MUST(wspush_route_add(config, WSPUSH_STR("/a/{b}/{c}"), NULL, &callbacks, &route));
  MUST(wspush_server_new(config, NULL, &server));
  wspush_config_free(config);
  GIVES(WSPUSH_EINVAL, wspush_ping(server, 0, "a", 1));
  GIVES(WSPUSH_EINVAL, wspush_ping(server, 1, much, 126));
  GIVES(WSPUSH_EINVAL, wspush_set_idle_timeout(server, 0, 1));
  GIVES(WSPUSH_EINVAL, wspush_set_message_bytes_max(server, 0, 1));
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
    if (strcmp(line, "ping") == 0) MUST(wspush_ping(server, first, "from main", 9));
    if (strcmp(line, "pong") == 0) MUST(wspush_pong(server, first, NULL, 0));
    if (strcmp(line, "much") == 0) MUST(wspush_send(server, first, WSPUSH_BINARY, much, 60000));
    if (strcmp(line, "limit") == 0) MUST(wspush_set_message_bytes_max(server, first, 200));
    if (strcmp(line, "idle") == 0) MUST(wspush_set_idle_timeout(server, first, 1));
    if (strcmp(line, "close") == 0) MUST(wspush_close(server, first, 4001, WSPUSH_STR("bye")));
    MUST(wspush_session_of(server, first, on_session, NULL));
  }
  MUST(wspush_server_stop(server, 1000));
  MUST(wspush_server_free(server));
  free(much);
  HOLDS(freed == 1);
  printf("pongs %u closed %u\n", pongs, closed);
  return 0;
}
