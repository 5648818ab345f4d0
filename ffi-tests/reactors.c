/* Three reactors: each session's callbacks come from one thread, and those of a reactor's sessions from the same one.
 * Without an argument the server has threads of its own; with "loops" each reactor is polled by a thread of the host's,
 * which waits for its descriptor. */
#include <poll.h>
#include <pthread.h>

#include "host.h"

#define REACTORS 3
#define REACTOR(conn) ((conn) >> 58)

/* The thread that each reactor's callbacks come from, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t threads[REACTORS];
static unsigned sessions[REACTORS], calls[REACTORS], closed;

static wspush_server *server;

static void called(uint64_t conn) {
  uint64_t reactor = REACTOR(conn);
  HOLDS(reactor < REACTORS);
  pthread_mutex_lock(&lock);
  if (!calls[reactor]) threads[reactor] = pthread_self();
  HOLDS(pthread_equal(threads[reactor], pthread_self()));
  calls[reactor]++;
  pthread_mutex_unlock(&lock);
}

static uint64_t id_of(wspush_session *session) {
  uint64_t conn = 0;
  MUST(wspush_session_id(session, &conn));
  return conn;
}

static void free_count(void *count) { free(count); }

static void on_connect(void *user_data, wspush_server *of, wspush_connect *connect) {
  wspush_str name;
  (void)user_data, (void)of;
  MUST(wspush_connect_accept(connect));
  MUST(wspush_connect_query(connect, WSPUSH_STR("name"), &name));
  MUST(wspush_connect_set_user(connect, name.data, name.length));
}

static void on_open(void *user_data, wspush_server *of, wspush_session *session) {
  uint64_t conn = id_of(session);
  int *count = malloc(sizeof *count);
  (void)user_data, (void)of;
  HOLDS(count);
  *count = 0;
  MUST(wspush_session_set_attribute(session, count, free_count));
  called(conn);
  pthread_mutex_lock(&lock);
  sessions[REACTOR(conn)]++;
  pthread_mutex_unlock(&lock);
}

static void on_message(void *user_data, wspush_server *of, wspush_session *session, int32_t kind, const void *data,
                       size_t length) {
  char reply[64];
  void *count = NULL;
  int32_t timeout_ms = -1;
  (void)user_data, (void)kind;
  called(id_of(session));
  MUST(wspush_session_attribute(session, &count));
  ++*(int *)count;
  snprintf(reply, sizeof reply, "%.*s %d", (int)length, (const char *)data, *(int *)count);
  MUST(wspush_session_reply(session, WSPUSH_TEXT, reply, strlen(reply)));
  /* On each of the threads. */
  GIVES(WSPUSH_EWRONGTHREAD, wspush_server_reactor_poll(of, (uint32_t)REACTOR(id_of(session)), 0));
  GIVES(WSPUSH_EWRONGTHREAD, wspush_server_stop(of, 0));
  MUST(wspush_server_reactor_timeout(of, 1, &timeout_ms));
  HOLDS(timeout_ms == 0);
}

static void on_close(void *user_data, wspush_server *of, uint64_t conn, const char *user, size_t user_length,
                     uint16_t code, const char *reason, size_t reason_length) {
  (void)user_data, (void)of, (void)user, (void)user_length, (void)code, (void)reason, (void)reason_length;
  called(conn);
  pthread_mutex_lock(&lock);
  closed++;
  pthread_mutex_unlock(&lock);
}

/* A loop of the host's for one reactor. */
static void *drive(void *number) {
  uint32_t reactor = (uint32_t)(uintptr_t)number;
  int32_t fd = -1, timeout_ms = 0;
  MUST(wspush_server_reactor_fd(server, reactor, &fd));
  for (;;) {
    struct pollfd waits = {fd, POLLIN, 0};
    MUST(wspush_server_reactor_timeout(server, reactor, &timeout_ms));
    poll(&waits, 1, timeout_ms);
    if (MUST(wspush_server_reactor_poll(server, reactor, 0)) == WSPUSH_DONE) break;
  }
  GIVES(WSPUSH_ESTOPPED, wspush_server_reactor_poll(server, reactor, 0));
  GIVES(WSPUSH_ESTOPPED, wspush_server_reactor_timeout(server, reactor, &timeout_ms));
  return NULL;
}

static void report(void) {
  unsigned different = 0;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < REACTORS; i++) {
    int known = calls[i] == 0 || pthread_equal(threads[i], pthread_self());
    for (int j = 0; j < i; j++) known |= calls[j] && pthread_equal(threads[i], threads[j]);
    different += !known;
  }
  printf("threads %u sessions %u %u %u closed %u\n", different, sessions[0], sessions[1], sessions[2], closed);
  pthread_mutex_unlock(&lock);
  fflush(stdout);
}

int main(int argc, char **argv) {
  wspush_callbacks callbacks;
  wspush_config *config = host_config();
  pthread_t loops[REACTORS];
  uint32_t count = 0;
  int32_t fd;
  char line[256];
  int own_loops = argc > 1 && strcmp(argv[1], "loops") == 0;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_connect = on_connect;
  callbacks.on_open = on_open;
  callbacks.on_message = on_message;
  callbacks.on_close = on_close;
  MUST(wspush_config_set_int(config, WSPUSH_STR("reactors"), REACTORS));
  MUST(wspush_server_new(config, &callbacks, &server));
  wspush_config_free(config);
  MUST(wspush_server_reactors(server, &count));
  HOLDS(count == REACTORS);
  GIVES(WSPUSH_ENOTFOUND, wspush_server_reactor_fd(server, REACTORS, &fd));
  GIVES(WSPUSH_ENOTFOUND, wspush_server_reactor_poll(server, REACTORS, 0));
  if (own_loops) {
    for (uintptr_t n = 0; n < REACTORS; n++) HOLDS(pthread_create(&loops[n], NULL, drive, (void *)n) == 0);
  } else {
    MUST(wspush_server_start(server));
    GIVES(WSPUSH_ESTATE, wspush_server_reactor_poll(server, 1, 0));
  }
  host_say_port(server);
  while (host_command(line, sizeof line)) {
    if (strcmp(line, "report") == 0) {
      report();
    } else {
      MUST(wspush_broadcast(server, WSPUSH_TEXT, line, strlen(line), NULL));
      MUST(wspush_publish_user(server, WSPUSH_STR("ann"), WSPUSH_TEXT, WSPUSH_STR("for ann")));
    }
  }
  MUST(wspush_server_drain(server, 5000));
  if (own_loops) {
    for (int n = 0; n < REACTORS; n++) HOLDS(pthread_join(loops[n], NULL) == 0);
  }
  MUST(wspush_server_stop(server, 5000));
  GIVES(WSPUSH_ESTOPPED, wspush_server_reactor_poll(server, 0, 0));
  report();
  MUST(wspush_server_free(server));
  return 0;
}
