/* Settings from the command line, each as NAME=VALUE, by their names alone; and publications whose order and pace clients
 * see. */
#include "host.h"

static wspush_batch_item to(const char *channel, const char *text) {
  wspush_batch_item item;
  memset(&item, 0, sizeof item);
  item.struct_size = sizeof item;
  item.channel.data = channel, item.channel.length = strlen(channel);
  item.data = text, item.length = strlen(text), item.kind = WSPUSH_TEXT;
  return item;
}

/* One after the other; which is written first, the rules of the channels say. */
static void publish_both(wspush_server *server) {
  wspush_batch_item items[2];
  items[0] = to("later", "2");
  items[1] = to("urgent", "1");
  MUST(wspush_publish_batch(server, items, 2, NULL, 0, NULL));
  printf("both\n");
}

static uint64_t publish_slowly(wspush_server *server) {
  wspush_str everybody = {"broadcast", 9};
  wspush_receipt receipt = {.struct_size = sizeof receipt};
  wspush_terms terms = {.struct_size = sizeof terms, .rate = 1};
  MUST(wspush_publish_to(server, &everybody, 1, WSPUSH_TEXT, WSPUSH_STR("slowly"), &terms, &receipt));
  printf("slowly\n");
  return receipt.id;
}

static void report(wspush_server *server, uint64_t receipt) {
  wspush_delivery delivery;
  delivery.struct_size = sizeof delivery;
  if (wspush_server_delivery(server, receipt, &delivery) != WSPUSH_OK) memset(&delivery, 0, sizeof delivery);
  printf("%u %u %u\n", (unsigned)delivery.recipients, (unsigned)delivery.written, (unsigned)delivery.lagging);
}

/* The servers of the cluster, on one line. */
static void nodes_told(void *user_data, wspush_server *server, wspush_status status, const wspush_answer *answer) {
  wspush_node node;
  size_t n = 0;
  (void)user_data, (void)server;
  node.struct_size = sizeof node;
  HOLDS((status == WSPUSH_OK) == (answer != NULL));
  printf("nodes");
  for (; answer && wspush_answer_node(answer, n, &node) == WSPUSH_OK; n++) {
    HOLDS(node.since_ms > 1000000000000 && node.lease_ms <= 10000 && node.version.length > 0 && node.run.length > 0);
    printf(" %.*s", (int)node.name.length, node.name.data);
  }
  if (answer) GIVES(WSPUSH_ENOTFOUND, wspush_answer_node(answer, n, &node));
  printf("%s\n", answer ? "" : " away");
  fflush(stdout);
}

static void ask_nodes(wspush_server *server) {
  wspush_status status = wspush_nodes(server, nodes_told, NULL);
  if (status == WSPUSH_EINVAL) printf("nodes none\n");
  else MUST(status);
}

int main(int argc, char **argv) {
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  uint64_t receipt = 0;
  char line[256];
  for (int n = 1; n < argc; n++) {
    const char *value = strchr(argv[n], '=');
    HOLDS(value != NULL);
    MUST(wspush_config_set(config, argv[n], (size_t)(value - argv[n]), value + 1, strlen(value + 1)));
  }
  MUST(wspush_server_new(config, NULL, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
    if (strcmp(line, "nodes") == 0) {
      ask_nodes(server);
    } else if (strcmp(line, "both") == 0) {
      publish_both(server);
    } else if (strcmp(line, "slowly") == 0) {
      receipt = publish_slowly(server);
    } else if (strcmp(line, "delivery") == 0) {
      report(server, receipt);
    } else if (strncmp(line, "subscribe ", 10) == 0) {
      /* Whether there is room for the channel, is known at once; that this connection has gone is no error. */
      wspush_status one = wspush_subscribe(server, 77, line + 10, strlen(line + 10));
      wspush_status user = wspush_subscribe_user(server, WSPUSH_STR("ann"), line + 10, strlen(line + 10));
      HOLDS(one == user);
      printf("%s\n", one == WSPUSH_ECHANNELS ? "full" : one == WSPUSH_OK ? "taken" : "?");
    } else {
      MUST(wspush_broadcast(server, WSPUSH_TEXT, line, strlen(line), NULL));
    }
    fflush(stdout);
  }
  MUST(wspush_server_stop(server, 5000));
  MUST(wspush_server_free(server));
  return 0;
}
