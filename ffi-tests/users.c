/* What is done with all connections of a user, in its order among everything else that a thread asks for. */
#include "host.h"

static void publish(const wspush_server *server, const char *channel, const char *text) {
  MUST(wspush_publish(server, channel, strlen(channel), WSPUSH_TEXT, text, strlen(text), NULL));
}

static void say(const wspush_server *server, const char *user, const char *text) {
  MUST(wspush_publish_user(server, user, strlen(user), WSPUSH_TEXT, text, strlen(text)));
}

/* Lets everybody in as whom the query says. */
static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str name;
  (void)user_data, (void)server;
  MUST(wspush_connect_query(connect, WSPUSH_STR("as"), &name));
  MUST(wspush_connect_accept(connect));
  MUST(wspush_connect_set_user(connect, name.data, name.length));
}

int main(void) {
  wspush_callbacks callbacks;
  char line[80];
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_connect = on_connect;
  wspush_server *server = host_server(&callbacks);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
    publish(server, "news", "nobody is there yet");
    say(server, "ann", "one");
    MUST(wspush_subscribe_user(server, WSPUSH_STR("ann"), WSPUSH_STR("news")));
    publish(server, "news", "two");
    MUST(wspush_unsubscribe_user(server, WSPUSH_STR("ann"), WSPUSH_STR("news")));
    publish(server, "news", "nobody is there any more");
    say(server, "eve", "she is away");
    MUST(wspush_broadcast(server, WSPUSH_TEXT, WSPUSH_STR("three"), NULL));
    MUST(wspush_disconnect_user(server, WSPUSH_STR("ann"), 4002, WSPUSH_STR("enough")));
    MUST(wspush_broadcast(server, WSPUSH_TEXT, WSPUSH_STR("four"), NULL));
    MUST(wspush_disconnect_user(server, WSPUSH_STR("bob"), 4003, NULL, 0));
  }
  MUST(wspush_server_stop(server, 2000));
  MUST(wspush_server_free(server));
  printf("ended\n");
  return 0;
}
