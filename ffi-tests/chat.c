/* A chat with rooms: who you are and where comes with the request (?name=, ?room=); without a name nobody gets in. */
#include "host.h"

#define LINE 512

/* Rooms are channels; who is where is the user's name: "room/name". */
static void say(wspush_server *server, wspush_str user, const char *verb, const char *text, size_t length) {
  char line[LINE];
  const char *slash = memchr(user.data, '/', user.length);
  HOLDS(slash != NULL);
  size_t room = (size_t)(slash - user.data);
  int n = snprintf(line, sizeof line, "%.*s%s%.*s", (int)(user.length - room - 1), slash + 1, verb, (int)length, text);
  HOLDS(n > 0 && n < LINE);
  MUST(wspush_publish(server, user.data, room, WSPUSH_TEXT, line, (size_t)n, NULL));
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str name, room, path, missing;
  char user[200];
  (void)user_data;
  MUST(wspush_connect_path(connect, &path));
  HOLDS(path.length == 3 && memcmp(path.data, "/ws", 3) == 0);
  GIVES(WSPUSH_ENOTFOUND, wspush_connect_header(connect, WSPUSH_STR("x-not-there"), &missing));
  GIVES(WSPUSH_ENOTFOUND, wspush_connect_client_subject(connect, &missing));
  MUST(wspush_connect_header(connect, WSPUSH_STR("HOST"), &missing));
  if (wspush_connect_query(connect, WSPUSH_STR("name"), &name) < 0 || name.length > 32) {
    MUST(wspush_connect_refuse(connect, 401, WSPUSH_STR("who are you?")));
    return;
  }
  if (wspush_connect_query(connect, WSPUSH_STR("room"), &room) < 0 || room.length > 32) {
    MUST(wspush_connect_refuse(connect, 400, WSPUSH_STR("which room?")));
    return;
  }
  int n = snprintf(user, sizeof user, "%.*s/%.*s", (int)room.length, room.data, (int)name.length, name.data);
  if (wspush_connect_query(connect, WSPUSH_STR("later"), &missing) == WSPUSH_OK) {
    uint64_t conn = 0;
    MUST(wspush_connect_pending(connect, &conn));
    GIVES(WSPUSH_EINVAL, wspush_refuse_pending(server, conn, 200, NULL, 0));
    GIVES(WSPUSH_EINVAL, wspush_accept_pending(server, 0, NULL, 0, NULL, 0, 1));
    GIVES(WSPUSH_ECHANNEL, wspush_accept_pending(server, conn, NULL, 0, WSPUSH_STR("a,,b"), 1));
    if (missing.length == 2)
      MUST(wspush_refuse_pending(server, conn, 403, WSPUSH_STR("not today")));
    else
      MUST(wspush_accept_pending(server, conn, user, (size_t)n, room.data, room.length, 0));
    return;
  }
  MUST(wspush_connect_accept(connect));
  MUST(wspush_connect_set_broadcast(connect, 0));
  GIVES(WSPUSH_EINVAL, wspush_connect_set_user(connect, NULL, 0));
  GIVES(WSPUSH_ECHANNEL, wspush_connect_add_channel(connect, NULL, 0));
  MUST(wspush_connect_set_user(connect, user, (size_t)n));
  if (wspush_connect_add_channel(connect, room.data, room.length) == WSPUSH_ECHANNEL)
    MUST(wspush_connect_refuse(connect, 400, WSPUSH_STR("not a room's name")));
}

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  wspush_str user;
  (void)user_data;
  MUST(wspush_session_user(session, &user));
  say(server, user, " has joined", NULL, 0);
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  wspush_str user;
  (void)user_data;
  MUST(wspush_session_user(session, &user));
  if (kind != WSPUSH_TEXT)
    MUST(wspush_session_close(session, 1003, WSPUSH_STR("this chat is text")));
  else if (length > 400)
    MUST(wspush_session_close(session, 1009, WSPUSH_STR("too long")));
  else
    say(server, user, ": ", data, length);
}

static void on_close(void *user_data, wspush_server *server, uint64_t conn, const char *user, size_t user_length,
                     uint16_t code, const char *reason, size_t reason_length) {
  wspush_str who;
  wspush_stats stats;
  (void)user_data, (void)conn, (void)code, (void)reason, (void)reason_length;
  who.data = user;
  who.length = user_length;
  stats.struct_size = sizeof stats;
  MUST(wspush_server_stats(server, &stats));
  if (!stats.draining) say(server, who, " has left", NULL, 0);
}

int main(void) {
  wspush_callbacks callbacks;
  char line[80];
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_connect = on_connect;
  callbacks.on_open = on_open;
  callbacks.on_message = on_message;
  callbacks.on_close = on_close;
  wspush_server *server = host_server(&callbacks);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
  }
  MUST(wspush_server_free(server)); /* also without a stop */
  return 0;
}
