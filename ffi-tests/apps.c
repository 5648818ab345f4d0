/* A host with an app of the Pusher Channels protocol, whose events it publishes itself. */
#include "host.h"

int main(void) {
  char line[80], event[200];
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  GIVES(WSPUSH_ECONFIG, wspush_config_set(config, WSPUSH_STR("pusher_app"), WSPUSH_STR("3 key=k")));
  MUST(wspush_config_set(config, WSPUSH_STR("pusher_app"), WSPUSH_STR("3 key=k secret=s client_events=true")));
  MUST(wspush_server_new(config, NULL, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
    int length = snprintf(event, sizeof event, "{\"event\":\"greet\",\"channel\":\"news\",\"data\":\"%s\"}", line);
    MUST(wspush_publish(server, WSPUSH_STR("pusher/3/news"), WSPUSH_TEXT, event, (size_t)length, NULL));
    /* Its subscribers understand nothing else. */
    GIVES(WSPUSH_EINVAL, wspush_publish(server, WSPUSH_STR("pusher/3/news"), WSPUSH_TEXT, "no event", 8, NULL));
  }
  MUST(wspush_server_stop(server, 2000));
  MUST(wspush_server_free(server));
  printf("ended\n");
  return 0;
}
