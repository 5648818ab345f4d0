/* What one thread asks for happens in its order, in a thread beside the server and in callbacks; and no callback sees a
 * session that the host has ended. */
#include <pthread.h>

#include "host.h"

static unsigned opened, messages, closed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t newest;

static void publish(const wspush_server *server, const char *text) {
  MUST(wspush_publish(server, WSPUSH_STR("news"), WSPUSH_TEXT, text, strlen(text), NULL));
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str name;
  (void)user_data, (void)server;
  MUST(wspush_connect_accept(connect));
  MUST(wspush_connect_add_channel(connect, WSPUSH_STR("news")));
  MUST(wspush_connect_set_broadcast(connect, 0));
  if (wspush_connect_query(connect, WSPUSH_STR("name"), &name) == WSPUSH_OK)
    MUST(wspush_connect_set_user(connect, name.data, name.length));
}

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  wspush_str name;
  uint64_t conn = 0;
  (void)user_data;
  opened++;
  MUST(wspush_session_id(session, &conn));
  pthread_mutex_lock(&lock);
  newest = conn;
  pthread_mutex_unlock(&lock);
  if (wspush_session_user(session, &name) != WSPUSH_OK) return;
  MUST(wspush_session_reply(session, WSPUSH_TEXT, WSPUSH_STR("go away")));
  if (name.length == 2) /* by its id */
    MUST(wspush_close(server, conn, 4001, WSPUSH_STR("not today")));
  else
    MUST(wspush_session_close(session, 4001, WSPUSH_STR("not today")));
  MUST(wspush_session_reply(session, WSPUSH_TEXT, WSPUSH_STR("too late")));
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  uint64_t conn = 0;
  (void)user_data, (void)kind;
  messages++;
  MUST(wspush_session_id(session, &conn));
  MUST(wspush_session_reply(session, WSPUSH_TEXT, WSPUSH_STR("1")));
  publish(server, "2");
  MUST(wspush_session_reply(session, WSPUSH_TEXT, WSPUSH_STR("3")));
  MUST(wspush_send(server, conn, WSPUSH_TEXT, WSPUSH_STR("4")));
  publish(server, "5");
  MUST(wspush_session_unsubscribe(session, WSPUSH_STR("news")));
  publish(server, "to others");
  MUST(wspush_session_reply(session, WSPUSH_TEXT, WSPUSH_STR("6")));
  MUST(wspush_session_subscribe(session, WSPUSH_STR("news")));
  publish(server, "7");
  if (length == 5 && memcmp(data, "by id", 5) == 0)
    MUST(wspush_close(server, conn, 4000, WSPUSH_STR("as you wish")));
  else
    MUST(wspush_session_close(session, 4000, WSPUSH_STR("as you wish")));
  publish(server, "8");
  MUST(wspush_session_reply(session, WSPUSH_TEXT, WSPUSH_STR("too late")));
}

static void on_close(void *user_data, wspush_server *server, uint64_t conn, const char *user, size_t user_length,
                     uint16_t code, const char *reason, size_t reason_length) {
  (void)user_data, (void)server, (void)conn, (void)user, (void)user_length, (void)reason, (void)reason_length;
  HOLDS(code >= 4000 && code <= 4002);
  closed++;
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
    pthread_mutex_lock(&lock);
    uint64_t conn = newest;
    pthread_mutex_unlock(&lock);
    /* All in one breath. */
    publish(server, "one");
    MUST(wspush_send(server, conn, WSPUSH_TEXT, WSPUSH_STR("two")));
    publish(server, "three");
    MUST(wspush_unsubscribe(server, conn, WSPUSH_STR("news")));
    publish(server, "to others");
    MUST(wspush_subscribe(server, conn, WSPUSH_STR("news")));
    publish(server, "four");
    MUST(wspush_close(server, conn, 4002, WSPUSH_STR("enough")));
    publish(server, "to others");
    /* The next client must not come before that. */
    puts("done");
    fflush(stdout);
  }
  MUST(wspush_server_stop(server, 2000));
  MUST(wspush_server_free(server));
  printf("opened %u messages %u closed %u\n", opened, messages, closed);
  return 0;
}
