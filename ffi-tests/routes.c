/* Routes and attributes: a chat with rooms whose guests have a state of their own, and an echo with other terms. */
#include "host.h"

/* A guest, whom its connection keeps. */
struct guest {
  char room[32];
  unsigned messages;
};

static unsigned made, freed, closed_with;
static uint32_t chat, echo;
static uint64_t first;

static void free_guest(void *guest) {
  freed++;
  free(guest);
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str room, text;
  char channel[64];
  uint32_t route = 0;
  (void)server;
  HOLDS(user_data == &chat);
  MUST(wspush_connect_route(connect, &route));
  HOLDS(route == chat);
  MUST(wspush_connect_param(connect, WSPUSH_STR("room"), &room));
  GIVES(WSPUSH_ENOTFOUND, wspush_connect_param(connect, WSPUSH_STR("none"), &text));
  GIVES(WSPUSH_ENOTFOUND, wspush_connect_rest(connect, &text));
  GIVES(WSPUSH_ENOTFOUND, wspush_connect_cookie(connect, WSPUSH_STR("none"), &text));
  struct guest *guest = calloc(1, sizeof *guest);
  HOLDS(guest != NULL && room.length < sizeof guest->room);
  memcpy(guest->room, room.data, room.length);
  made++;
  MUST(wspush_connect_set_attribute(connect, guest, free_guest));
  GIVES(WSPUSH_EINVAL, wspush_connect_add_header(connect, WSPUSH_STR("X-A"), WSPUSH_STR("b\r\nX-C: d")));
  GIVES(WSPUSH_EINVAL, wspush_connect_add_header(connect, WSPUSH_STR("Upgrade"), WSPUSH_STR("b")));
  MUST(wspush_connect_add_header(connect, WSPUSH_STR("X-Room"), room.data, room.length));
  if (wspush_connect_query(connect, WSPUSH_STR("banned"), &text) == WSPUSH_OK) {
    /* The guest is freed all the same. */
    MUST(wspush_connect_refuse(connect, 403, WSPUSH_STR("banned")));
    return;
  }
  snprintf(channel, sizeof channel, "room.%.*s", (int)room.length, room.data);
  MUST(wspush_connect_accept(connect));
  MUST(wspush_connect_set_broadcast(connect, 0));
  MUST(wspush_connect_add_channel(connect, WSPUSH_STR(channel)));
}

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  void *kept = NULL;
  uint64_t count = 0;
  int32_t is_open = 0;
  wspush_str peer;
  (void)user_data;
  MUST(wspush_session_attribute(session, &kept));
  MUST(wspush_route_online(server, chat, &count));
  MUST(wspush_session_is_open(session, &is_open));
  MUST(wspush_session_peer(session, &peer));
  HOLDS(count > 0 && is_open == 1 && peer.length > 10 && memcmp(peer.data, "127.0.0.1:", 10) == 0);
  MUST(wspush_session_set_idle_timeout(session, 600000));
  if (!first) MUST(wspush_session_id(session, &first));
  MUST(wspush_session_reply(session, WSPUSH_TEXT, ((struct guest *)kept)->room, strlen(((struct guest *)kept)->room)));
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  void *kept = NULL;
  char line[128], channel[64];
  (void)user_data;
  MUST(wspush_session_attribute(session, &kept));
  struct guest *guest = kept;
  snprintf(line, sizeof line, "%u: %.*s", ++guest->messages, (int)length, (const char *)data);
  snprintf(channel, sizeof channel, "room.%s", guest->room);
  MUST(wspush_publish(server, WSPUSH_STR(channel), kind, line, strlen(line), NULL));
  if (length == 5 && memcmp(data, "again", 5) == 0) {
    /* Another one takes its place, and it is freed. */
    struct guest *other = calloc(1, sizeof *other);
    HOLDS(other != NULL);
    *other = *guest;
    made++;
    MUST(wspush_session_set_attribute(session, other, free_guest));
  }
}

static void on_closed(void *user_data, wspush_server *server, const wspush_closed *closed) {
  void *kept = NULL;
  wspush_str room, reason;
  uint16_t code = 0;
  uint32_t route = 9;
  (void)user_data, (void)server;
  MUST(wspush_closed_attribute(closed, &kept));
  MUST(wspush_closed_param(closed, WSPUSH_STR("room"), &room));
  MUST(wspush_closed_why(closed, &code, &reason));
  MUST(wspush_closed_route(closed, &route));
  GIVES(WSPUSH_ENOTFOUND, wspush_closed_user(closed, &reason));
  HOLDS(route == chat && code > 0 && strlen(((struct guest *)kept)->room) == room.length);
  closed_with += ((struct guest *)kept)->messages;
}

static void on_echo(void *user_data, wspush_server *server, wspush_session *session, int32_t kind, const void *data,
                    size_t length) {
  uint32_t route = 9;
  void *kept = NULL;
  (void)user_data, (void)server;
  GIVES(WSPUSH_ENOTFOUND, wspush_session_attribute(session, &kept));
  MUST(wspush_session_route(session, &route));
  HOLDS(route == echo);
  MUST(wspush_session_reply(session, kind, data, length));
}

/* At its route messages come in pieces. */
static void on_echo_piece(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                          int32_t more, const void *data, size_t length) {
  uint32_t route = 9;
  (void)user_data, (void)server;
  MUST(wspush_session_route(session, &route));
  HOLDS(route == echo);
  MUST(wspush_session_send_fragment(session, kind, more, data, length));
}

/* Lists what there is for the driver. */
static void on_sessions(void *user_data, wspush_server *server, wspush_status status, const wspush_answer *answer) {
  wspush_session_info info;
  wspush_str room;
  uint64_t next = 0;
  (void)user_data, (void)server;
  if (status == WSPUSH_ENOTFOUND) {
    printf("gone\n");
  } else {
    HOLDS(status == WSPUSH_OK);
    info.struct_size = sizeof info;
    for (size_t n = 0; wspush_answer_session(answer, n, &info) == WSPUSH_OK; n++) {
      HOLDS(info.conn != 0 && info.peer.length > 10);
      room.length = 0;
      if (info.route == chat) MUST(wspush_answer_session_param(answer, n, WSPUSH_STR("room"), &room));
      printf("%s%u %.*s", n ? ", " : "", (unsigned)info.route, (int)room.length, room.length ? room.data : "");
    }
    printf("%s\n", wspush_answer_next(answer, &next) == WSPUSH_OK ? " .." : "");
  }
  fflush(stdout);
}

int main(void) {
  wspush_callbacks callbacks, echoes;
  wspush_route_terms terms;
  wspush_config *config = host_config(), *copy = NULL;
  wspush_server *server = NULL;
  wspush_str protocol = {"echo.v1", 7};
  char line[80];
  memset(&callbacks, 0, sizeof callbacks);
  memset(&echoes, 0, sizeof echoes);
  memset(&terms, 0, sizeof terms);
  callbacks.struct_size = echoes.struct_size = sizeof callbacks;
  callbacks.user_data = &chat;
  callbacks.on_connect = on_connect, callbacks.on_open = on_open;
  callbacks.on_message = on_message, callbacks.on_closed = on_closed;
  echoes.on_message = on_echo, echoes.on_fragment = on_echo_piece;
  terms.struct_size = sizeof terms;
  terms.message_bytes_max = 200, terms.idle_ms = 3600000;
  terms.subprotocols = &protocol, terms.subprotocols_count = 1;
  MUST(wspush_route_add(config, WSPUSH_STR("/chat/{room}"), NULL, &callbacks, &chat));
  terms.pieces = 3;
  GIVES(WSPUSH_EINVAL, wspush_route_add(config, WSPUSH_STR("/echo/*"), &terms, &echoes, &echo));
  terms.pieces = WSPUSH_PIECES_BOUNDED;
  MUST(wspush_route_add(config, WSPUSH_STR("/echo/*"), &terms, &echoes, &echo));
  HOLDS(chat == 0 && echo == 1);
  GIVES(WSPUSH_ECONFIG, wspush_route_add(config, WSPUSH_STR("/chat/{id}"), NULL, &callbacks, &chat));
  HOLDS(strstr(wspush_last_error(), "takes the same paths") != NULL && chat == 0);
  GIVES(WSPUSH_ECONFIG, wspush_route_add(config, WSPUSH_STR("chat"), NULL, &callbacks, &chat));
  GIVES(WSPUSH_ENULL, wspush_route_add(config, WSPUSH_STR("/a"), NULL, NULL, &chat));
  MUST(wspush_config_copy(config, &copy));
  MUST(wspush_route_add(copy, WSPUSH_STR("/ws"), NULL, &echoes, &echo));
  GIVES(WSPUSH_ECONFIG, wspush_server_new(copy, NULL, &server));
  HOLDS(strstr(wspush_last_error(), "the server has this path itself") != NULL && echo == 0);
  echo = 1;
  wspush_config_free(copy);
  MUST(wspush_server_new(config, NULL, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
    if (strcmp(line, "chat") == 0) MUST(wspush_sessions(server, chat, 0, 0, on_sessions, NULL));
    if (strcmp(line, "all") == 0) MUST(wspush_sessions(server, WSPUSH_NO_ROUTE, 0, 2, on_sessions, NULL));
    if (strcmp(line, "first") == 0) MUST(wspush_session_of(server, first, on_sessions, NULL));
  }
  MUST(wspush_server_stop(server, 1000));
  MUST(wspush_server_free(server));
  HOLDS(made == freed);
  printf("made %u messages %u\n", made, closed_with);
  return 0;
}
