/* A notification service: 8 threads of its own post at once while clients come and go. Each post carries its thread and
 * its number, so that whoever stays can see that nothing is lost and nothing overtakes. */
#include <pthread.h>
#include <sched.h>

#include "host.h"

#define THREADS 8

static wspush_server *server;
static unsigned posts;

static void *post(void *arg) {
  unsigned thread = *(unsigned *)arg;
  size_t full = 0;
  for (unsigned n = 0; n < posts; n++) {
    char text[64];
    wspush_receipt receipt;
    int status;
    int length = snprintf(text, sizeof text, "%u %u", thread, n);
    receipt.struct_size = sizeof receipt;
    while ((status = wspush_broadcast(server, WSPUSH_TEXT, text, (size_t)length, &receipt)) == WSPUSH_EAGAIN) {
      full++;
      sched_yield();
    }
    MUST(status);
    HOLDS(receipt.id != 0 && receipt.offset != 0 && receipt.epoch != 0);
  }
  return (void *)full;
}

int main(void) {
  wspush_config *config = host_config();
  char line[80];
  /* An inbox so small that EAGAIN is met, and a log that all posts fit in, since the clients read slowly. */
  MUST(wspush_config_set_int(config, WSPUSH_STR("inbox_commands_max"), 64));
  MUST(wspush_config_set_int(config, WSPUSH_STR("log_publications"), 100000));
  MUST(wspush_config_set(config, WSPUSH_STR("log_bytes"), WSPUSH_STR("16_777_216")));
  MUST(wspush_server_new(config, NULL, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    size_t full = 0;
    if (sscanf(line, "post %u", &posts) != 1) continue;
    for (unsigned n = 0; n < THREADS; n++) {
      numbers[n] = n;
      HOLDS(pthread_create(&threads[n], NULL, post, &numbers[n]) == 0);
    }
    for (unsigned n = 0; n < THREADS; n++) {
      void *result;
      HOLDS(pthread_join(threads[n], &result) == 0);
      full += (size_t)result;
    }
    MUST(wspush_broadcast(server, WSPUSH_BINARY | WSPUSH_UNCOMPRESSED, "end", 3, NULL));
    printf("posted %u, inbox full %s\n", THREADS * posts, full ? "sometimes" : "never");
    fflush(stdout);
  }
  MUST(wspush_server_stop(server, -1));
  MUST(wspush_server_free(server));
  return 0;
}
