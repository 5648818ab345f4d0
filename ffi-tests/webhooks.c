/* Settings that are text for the daemon are so for a host: the first command is the URL of a backend to ask and tell. */
#include "host.h"

int main(void) {
  wspush_callbacks callbacks;
  char line[200];
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  HOLDS(host_command(line, sizeof line));
  MUST(wspush_config_set(config, WSPUSH_STR("webhook_url"), line, strlen(line)));
  MUST(wspush_config_set(config, WSPUSH_STR("auth_webhook"), line, strlen(line)));
  MUST(wspush_config_set(config, WSPUSH_STR("webhook_secret"), WSPUSH_STR("a_secret_of_more_than_32_bytes_0123456")));
  MUST(wspush_config_set(config, WSPUSH_STR("webhook_events"), WSPUSH_STR("channel_vacated")));
  MUST(wspush_config_set_int(config, WSPUSH_STR("webhook_batch_ms"), 0));
  MUST(wspush_config_set_int(config, WSPUSH_STR("auth_webhook_timeout_ms"), 60000));
  MUST(wspush_config_set_int(config, WSPUSH_STR("handshake_ms"), 60000));
  GIVES(WSPUSH_ECONFIG, wspush_config_set(config, WSPUSH_STR("webhook_url"), WSPUSH_STR("ftp://backend/")));
  MUST(wspush_server_new(config, &callbacks, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
  }
  MUST(wspush_server_stop(server, 2000));
  MUST(wspush_server_free(server));
  printf("ended\n");
  return 0;
}
