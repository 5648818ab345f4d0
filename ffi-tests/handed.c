/* A host that takes over from the one that runs at a path, if one does: the pointers that were kept at the connections
 * stay behind, and are set anew. Arguments: the path, and a name that replies carry. */
#include "host.h"

static const char *own_name;
static unsigned opened, taken, closed, freed;

static void free_name(void *name) {
  freed++;
  free(name);
}

static void keep(wspush_session *session, const char *how) {
  char *name = malloc(64);
  HOLDS(name);
  snprintf(name, 64, "%s %s", how, own_name);
  MUST(wspush_session_set_attribute(session, name, free_name));
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  (void)user_data, (void)server;
  MUST(wspush_connect_accept(connect));
  MUST(wspush_connect_set_user(connect, WSPUSH_STR("ann")));
  MUST(wspush_connect_add_channel(connect, WSPUSH_STR("room")));
}

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  (void)user_data, (void)server;
  opened++;
  keep(session, "opened by");
}

static void on_taken_over(void *user_data, wspush_server *server, wspush_session *session) {
  void *none = NULL;
  wspush_str user;
  (void)user_data, (void)server;
  GIVES(WSPUSH_ENOTFOUND, wspush_session_attribute(session, &none));
  MUST(wspush_session_user(session, &user));
  HOLDS(user.length == 3 && memcmp(user.data, "ann", 3) == 0);
  taken++;
  keep(session, "taken over by");
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind, const void *data,
                       size_t length) {
  void *name = NULL;
  (void)user_data, (void)server, (void)kind, (void)data, (void)length;
  MUST(wspush_session_attribute(session, &name));
  MUST(wspush_session_reply(session, WSPUSH_TEXT, name, strlen(name)));
}

static void on_close(void *user_data, wspush_server *server, uint64_t conn, const char *user, size_t user_length,
                     uint16_t code, const char *reason, size_t reason_length) {
  (void)user_data, (void)server, (void)conn, (void)user, (void)user_length, (void)code, (void)reason;
  (void)reason_length;
  closed++;
}

static const wspush_callbacks CALLBACKS = {
    .struct_size = sizeof(wspush_callbacks),
    .on_connect = on_connect,
    .on_open = on_open,
    .on_message = on_message,
    .on_close = on_close,
    .on_taken_over = on_taken_over,
};

int main(int argc, char **argv) {
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  uint64_t handed = 0;
  char line[256];
  HOLDS(argc == 3);
  own_name = argv[2];
  MUST(wspush_config_set(config, WSPUSH_STR("handover"), argv[1], strlen(argv[1])));
  MUST(wspush_server_new(config, &CALLBACKS, &server));
  wspush_config_free(config);
  int status = wspush_server_handover(server, &handed);
  if (status == WSPUSH_OK) {
    printf("handed %u\n", (unsigned)handed);
  } else {
    GIVES(WSPUSH_ENOTFOUND, status);
  }
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
    MUST(wspush_publish(server, WSPUSH_STR("room"), WSPUSH_TEXT, line, strlen(line), NULL));
  }
  MUST(wspush_server_stop(server, 5000));
  GIVES(WSPUSH_ESTOPPED, wspush_broadcast(server, WSPUSH_TEXT, WSPUSH_STR("late"), NULL));
  MUST(wspush_server_free(server));
  printf("opened %u taken %u closed %u freed %u\n", opened, taken, closed, freed);
  return 0;
}
