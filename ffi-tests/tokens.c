/* What a host is told of the token that a client shows, and how it takes a user's tokens back. */
#include "host.h"

/* What on_connect was told; on_open of the same client comes right behind it. */
static char told[2048];

static void add(int status, wspush_str text, const char *behind) {
  HOLDS(status == WSPUSH_OK || status == WSPUSH_ENOTFOUND);
  size_t used = strlen(told);
  if (status == WSPUSH_OK)
    snprintf(told + used, sizeof told - used, "%.*s%s", (int)text.length, text.data, behind);
  else
    snprintf(told + used, sizeof told - used, "-%s", behind);
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str text = {NULL, 0};
  int status;
  (void)user_data, (void)server;
  told[0] = 0;
  status = wspush_connect_user(connect, &text);
  add(status, text, "|");
  status = wspush_connect_info(connect, &text);
  add(status, text, "|");
  status = wspush_connect_claims(connect, &text);
  add(status, text, "");
  GIVES(WSPUSH_ENULL, wspush_connect_user(connect, NULL));
  GIVES(WSPUSH_ENULL, wspush_connect_claims(NULL, &text));
}

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  (void)user_data, (void)server;
  MUST(wspush_session_reply(session, WSPUSH_TEXT, told, strlen(told)));
}

int main(void) {
  wspush_callbacks callbacks;
  char line[80];
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_connect = on_connect;
  callbacks.on_open = on_open;
  MUST(wspush_config_set(config, WSPUSH_STR("auth"), WSPUSH_STR("optional")));
  MUST(wspush_config_set(config, WSPUSH_STR("auth_secret"), WSPUSH_STR("a_secret_of_more_than_32_bytes_0123456")));
  MUST(wspush_server_new(config, &callbacks, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) MUST(wspush_revoke_user(server, WSPUSH_STR("ann"), 4001, NULL, 0));
  MUST(wspush_server_stop(server, 2000));
  MUST(wspush_server_free(server));
  printf("ended\n");
  return 0;
}
