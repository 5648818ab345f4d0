/* The situations that the walk goes through: a live server, callbacks, 16 threads, after the stop. */
#include <pthread.h>
#include <unistd.h>

static const wspush_connect *last_connect;
static wspush_session *last_session;
static const wspush_answer *last_answer;
static const wspush_closed *last_closed;
static int answers_walked, asks_again;
static unsigned long all_calls, all_errors;
static wspush_callbacks wrong_callbacks, right_callbacks;

/* The settings of the server, and of a reload. */
static wspush_config *walk_config(void) {
  wspush_config *config = host_config();
  MUST(wspush_config_set(config, WSPUSH_STR("channel_rule"), WSPUSH_STR("broadcast presence=true")));
  return config;
}

static void init(struct world *w, enum place place, wspush_server *server) {
  memset(w, 0, sizeof *w);
  w->place = place;
  w->server = server;
  w->config = walk_config();
  w->connect = last_connect;
  w->session = last_session;
  w->answer = last_answer;
  w->closed = last_closed;
  w->callbacks = &right_callbacks;
  w->callbacks_empty = &wrong_callbacks;
  w->conn = (uint64_t)1 << 32;
  w->stride = place == THREAD ? 101 : place == STOPPED ? 3 : 11;
  memset(w->text, 'x', sizeof w->text);
  memset(w->not_utf8, 0xff, sizeof w->not_utf8);
  memcpy(w->setting, "drain_ms", 8);
  for (int n = 0; n < 2; n++) w->names[n].data = w->text, w->names[n].length = (size_t)n + 1;
  w->terms.struct_size = sizeof w->terms;
  w->terms.idempotency_key = w->text;
  w->terms.idempotency_key_length = 1;
  w->terms.has_if_offset = 1;
  w->query.struct_size = sizeof w->query;
  w->query.newest_first = 1;
  w->acceptance.struct_size = sizeof w->acceptance;
  w->acceptance.user = w->text, w->acceptance.user_length = 1;
  w->acceptance.headers = w->acceptance.since = w->names, w->acceptance.headers_count = 2;
  w->refusal.struct_size = sizeof w->refusal;
  w->refusal.status = 403, w->refusal.headers = w->names, w->refusal.headers_count = 2;
  for (int n = 0; n < 2; n++) {
    w->items[n].struct_size = sizeof w->items[n];
    w->items[n].channel.data = w->text, w->items[n].channel.length = 1;
    w->items[n].data = w->text, w->items[n].length = 2;
    w->items[n].kind = n == 0 ? WSPUSH_TEXT : WSPUSH_BINARY;
  }
  w->route.struct_size = sizeof w->route;
  w->route.subprotocols = w->route.origins = w->names;
  w->route.subprotocols_count = w->route.origins_count = 2;
}

static void done(struct world *w) {
  wspush_config_free(w->config);
  __atomic_fetch_add(&all_calls, w->calls, __ATOMIC_RELAXED);
  __atomic_fetch_add(&all_errors, w->errors, __ATOMIC_RELAXED);
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  struct world w;
  (void)user_data;
  last_connect = connect;
  init(&w, IN_CALLBACK, server);
  w.stride = 1;
  walk(&w);
  done(&w);
  MUST(wspush_connect_accept(connect));
  MUST(wspush_connect_set_protocol(connect, NULL, 0));
}

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  (void)user_data, (void)server;
  last_session = session;
  GIVES(WSPUSH_EWRONGTHREAD, wspush_connect_refuse((wspush_connect *)last_connect, 404, NULL, 0));
  MUST(wspush_session_reply(session, WSPUSH_TEXT, "hi", 2));
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  struct world w;
  (void)user_data, (void)kind, (void)data, (void)length;
  last_session = session;
  init(&w, IN_CALLBACK, server);
  MUST(wspush_session_id(session, &w.conn));
  walk(&w);
  done(&w);
  MUST(wspush_session_close(session, 1000, NULL, 0));
}

static void on_closed(void *user_data, wspush_server *server, const wspush_closed *closed) {
  struct world w;
  (void)user_data;
  last_closed = closed;
  init(&w, IN_CALLBACK, server);
  w.stride = 1;
  walk(&w);
  done(&w);
}

static void on_walked_answer(void *user_data, wspush_server *server, wspush_status status,
                             const wspush_answer *answer) {
  struct world w;
  HOLDS(user_data == &last_answer);
  if (status == WSPUSH_EAGAIN) {
    __atomic_store_n(&asks_again, 1, __ATOMIC_RELEASE);
    return;
  }
  HOLDS(status == WSPUSH_OK);
  last_answer = answer;
  init(&w, IN_CALLBACK, server);
  walk(&w);
  done(&w);
  __atomic_fetch_add(&answers_walked, 1, __ATOMIC_RELEASE);
}

/* Asks, and waits until the answer was walked. A walk asks for more lists than there may be, and then it is asked again. */
#define WALKED(call)                                                                                \
  do {                                                                                              \
    int before = __atomic_load_n(&answers_walked, __ATOMIC_ACQUIRE);                                \
    for (int asked = 0; __atomic_load_n(&answers_walked, __ATOMIC_ACQUIRE) == before; usleep(1000)) { \
      if (asked && !__atomic_exchange_n(&asks_again, 0, __ATOMIC_ACQ_REL)) continue;                \
      asked = (call) == WSPUSH_OK;                                                                  \
    }                                                                                               \
  } while (0)


static void *on_thread(void *server) {
  struct world w;
  init(&w, THREAD, server);
  w.round = (unsigned)(uintptr_t)&w;
  walk(&w);
  done(&w);
  return NULL;
}

int main(void) {
  struct world w;
  pthread_t threads[16];
  char line[80];
  right_callbacks.struct_size = sizeof right_callbacks;
  right_callbacks.on_connect = on_connect;
  right_callbacks.on_open = on_open;
  right_callbacks.on_message = on_message;
  right_callbacks.on_closed = on_closed;
  wspush_config *config = walk_config();
  wspush_server *server = NULL;
  MUST(wspush_server_new(config, &right_callbacks, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  while (host_command(line, sizeof line)) {
  }
  MUST(wspush_broadcast(server, WSPUSH_TEXT, "x", 1, NULL));
  WALKED(wspush_sessions(server, WSPUSH_NO_ROUTE, 0, 0, on_walked_answer, &last_answer));
  WALKED(wspush_history(server, WSPUSH_STR("broadcast"), NULL, on_walked_answer, &last_answer));
  WALKED(wspush_presence(server, WSPUSH_STR("broadcast"), on_walked_answer, &last_answer));
  WALKED(wspush_channels(server, NULL, 0, 0, 1, on_walked_answer, &last_answer));
  WALKED(wspush_user_connections(server, WSPUSH_STR("u"), 0, 0, on_walked_answer, &last_answer));
  init(&w, LIVE, server);
  walk(&w);
  done(&w);
  for (int n = 0; n < 16; n++) HOLDS(pthread_create(&threads[n], NULL, on_thread, server) == 0);
  for (int n = 0; n < 16; n++) HOLDS(pthread_join(threads[n], NULL) == 0);
  MUST(wspush_server_stop(server, 1000));
  init(&w, STOPPED, server);
  walk(&w);
  done(&w);
  GIVES(WSPUSH_ESTOPPED, wspush_broadcast(server, WSPUSH_TEXT, "x", 1, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_publish(server, "c", 1, WSPUSH_TEXT, "x", 1, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_send(server, 1, WSPUSH_TEXT, "x", 1));
  GIVES(WSPUSH_ESTOPPED, wspush_close(server, 1, 1000, NULL, 0));
  GIVES(WSPUSH_ESTOPPED, wspush_subscribe(server, 1, "c", 1));
  GIVES(WSPUSH_ESTOPPED, wspush_unsubscribe(server, 1, "c", 1));
  GIVES(WSPUSH_ESTOPPED, wspush_subscribe_since(server, 1, "c", 1, "head", 4));
  GIVES(WSPUSH_ESTOPPED, wspush_channel(server, "c", 1, on_answer, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_channels(server, NULL, 0, 0, 0, on_answer, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_history(server, "c", 1, NULL, on_answer, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_presence(server, "c", 1, on_answer, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_forget_history(server, "c", 1, on_answer, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_user_connections(server, "u", 1, 0, 0, on_answer, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_session_of(server, 1, on_answer, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_sessions(server, 0, 0, 0, on_answer, NULL));
  GIVES(WSPUSH_ESTOPPED, wspush_server_start(server));
  GIVES(WSPUSH_ESTOPPED, wspush_server_poll(server, 0));
  MUST(wspush_server_free(server));
  printf("calls %lu errors %lu\n", all_calls, all_errors);
  return 0;
}
