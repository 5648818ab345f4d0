/* A host that serves some transports, and is told by which of them a client wants to be pushed to. */
#include "host.h"

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  static const char *const names[] = {"none", "ws", "sse", "stream", "poll"};
  int32_t transport = 0;
  (void)user_data, (void)server;
  MUST(wspush_connect_transport(connect, &transport));
  HOLDS(transport >= WSPUSH_TRANSPORT_WS && transport <= WSPUSH_TRANSPORT_POLL);
  GIVES(WSPUSH_ENULL, wspush_connect_transport(connect, NULL));
  MUST(wspush_connect_refuse(connect, 403, names[transport], strlen(names[transport])));
}

int main(void) {
  wspush_callbacks callbacks;
  char line[80];
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  wspush_stats stats;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_connect = on_connect;
  GIVES(WSPUSH_ECONFIG, wspush_config_set(config, WSPUSH_STR("transports"), WSPUSH_STR("ws,pigeon")));
  MUST(wspush_config_set(config, WSPUSH_STR("transports"), WSPUSH_STR("ws,sse,stream")));
  MUST(wspush_server_new(config, &callbacks, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
  }
  memset(&stats, 0, sizeof stats);
  stats.struct_size = sizeof stats;
  MUST(wspush_server_stats(server, &stats));
  HOLDS(stats.connections_ws + stats.connections_sse + stats.connections_stream + stats.connections_poll == 0);
  MUST(wspush_server_stop(server, 2000));
  MUST(wspush_server_free(server));
  printf("ended\n");
  return 0;
}
