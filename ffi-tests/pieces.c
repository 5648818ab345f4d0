/* A store of one file, as large as a client likes. An upload is written as it comes by a thread that may wait for a disk:
 * while it does, the client is paused. "get" sends it back, the next piece whenever the last one has gone. */
#include <pthread.h>

#include "host.h"

struct store {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  wspush_server *server;
  FILE *file;
  /* The piece that is to be written, and whose it is. */
  char *piece;
  size_t length;
  int more, ends, under_way;
  uint64_t conn, size, left;
  unsigned pieces, drained, closed;
};

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  (void)user_data, (void)server;
  GIVES(WSPUSH_EINVAL, wspush_connect_set_pieces(connect, 3));
  MUST(wspush_connect_set_pieces(connect, WSPUSH_PIECES_UNBOUNDED));
}

/* The next piece of the file, and a word when it has gone. */
static void go_on(struct store *store, wspush_session *session) {
  static char buffer[1 << 16];
  size_t length = fread(buffer, 1, sizeof buffer, store->file);
  uint64_t waits = 0;
  store->left -= length;
  MUST(wspush_session_send_fragment(session, WSPUSH_BINARY, store->left > 0, buffer, length));
  MUST(wspush_session_outbox_bytes(session, &waits));
  HOLDS(waits >= length);
  if (store->left > 0) MUST(wspush_session_notify_drained(session));
}

static void on_fragment(void *user_data, wspush_server *server, wspush_session *session, int32_t kind, int32_t more,
                        const void *data, size_t length) {
  struct store *store = user_data;
  (void)server;
  pthread_mutex_lock(&store->lock);
  if (kind == WSPUSH_TEXT) {
    HOLDS(!more && length == 3 && memcmp(data, "get", 3) == 0);
    rewind(store->file);
    store->left = store->size;
    go_on(store, session);
  } else {
    HOLDS(store->piece == NULL);
    store->piece = malloc(length + 1);
    HOLDS(store->piece != NULL);
    memcpy(store->piece, data, length);
    store->length = length, store->more = more, store->pieces++;
    MUST(wspush_session_id(session, &store->conn));
    MUST(wspush_session_pause(session));
    pthread_cond_signal(&store->changed);
  }
  pthread_mutex_unlock(&store->lock);
}

static void on_drained(void *user_data, wspush_server *server, wspush_session *session) {
  struct store *store = user_data;
  (void)server;
  pthread_mutex_lock(&store->lock);
  store->drained++;
  go_on(store, session);
  pthread_mutex_unlock(&store->lock);
}

static void on_close(void *user_data, wspush_server *server, uint64_t conn, const char *user, size_t user_length,
                     uint16_t code, const char *reason, size_t reason_length) {
  (void)server, (void)conn, (void)user, (void)user_length, (void)code, (void)reason, (void)reason_length;
  ((struct store *)user_data)->closed++;
}

static void *write_pieces(void *data) {
  struct store *store = data;
  pthread_mutex_lock(&store->lock);
  for (;;) {
    while (!store->piece && !store->ends) pthread_cond_wait(&store->changed, &store->lock);
    if (!store->piece) break;
    if (!store->under_way) {
      rewind(store->file);
      store->size = 0;
    }
    store->under_way = store->more;
    HOLDS(fwrite(store->piece, 1, store->length, store->file) == store->length);
    store->size += store->length;
    free(store->piece);
    store->piece = NULL;
    if (!store->more) {
      HOLDS(fflush(store->file) == 0);
      MUST(wspush_send(store->server, store->conn, WSPUSH_TEXT, WSPUSH_STR("stored")));
    }
    MUST(wspush_resume(store->server, store->conn));
  }
  pthread_mutex_unlock(&store->lock);
  return NULL;
}

int main(void) {
  struct store store;
  wspush_callbacks callbacks;
  wspush_config *config = host_config();
  pthread_t writer;
  uint64_t conn;
  uint32_t route;
  char line[80];
  memset(&store, 0, sizeof store);
  pthread_mutex_init(&store.lock, NULL);
  pthread_cond_init(&store.changed, NULL);
  store.file = tmpfile();
  HOLDS(store.file != NULL);
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.user_data = &store;
  callbacks.on_connect = on_connect;
  callbacks.on_fragment = on_fragment;
  callbacks.on_drained = on_drained;
  callbacks.on_close = on_close;

  MUST(wspush_route_add(config, WSPUSH_STR("/files/{name}"), NULL, &callbacks, &route));
  MUST(wspush_server_new(config, &callbacks, &store.server));
  wspush_config_free(config);
  GIVES(WSPUSH_EINVAL, wspush_pause(store.server, 0));
  GIVES(WSPUSH_EINVAL, wspush_send_fragment(store.server, 0, WSPUSH_TEXT, 1, "x", 1));
  GIVES(WSPUSH_EEMPTY, wspush_send_fragment(store.server, 1, WSPUSH_TEXT, 1, "", 0));
  GIVES(WSPUSH_EUTF8, wspush_send_fragment(store.server, 1, WSPUSH_TEXT, 1, "\xc3", 1));
  HOLDS(pthread_create(&writer, NULL, write_pieces, &store) == 0);
  MUST(wspush_server_start(store.server));
  host_say_port(store.server);
  while (host_command(line, sizeof line)) {
    /* To whoever has stored something last. */
    pthread_mutex_lock(&store.lock);
    conn = store.conn;
    pthread_mutex_unlock(&store.lock);
    MUST(wspush_send_fragment(store.server, conn, WSPUSH_TEXT, 1, line, strlen(line)));
    MUST(wspush_send(store.server, conn, WSPUSH_TEXT, WSPUSH_STR("behind")));
    MUST(wspush_send_fragment(store.server, conn, WSPUSH_TEXT, 0, "", 0));
  }
  pthread_mutex_lock(&store.lock);
  store.ends = 1;
  pthread_cond_signal(&store.changed);
  pthread_mutex_unlock(&store.lock);
  pthread_join(writer, NULL);
  MUST(wspush_server_stop(store.server, 2000));
  GIVES(WSPUSH_ESTOPPED, wspush_pause(store.server, 1));
  GIVES(WSPUSH_ESTOPPED, wspush_resume(store.server, 1));
  GIVES(WSPUSH_ESTOPPED, wspush_notify_drained(store.server, 1));
  MUST(wspush_server_free(store.server));
  fclose(store.file);
  printf("%s %s closed %u\n", store.pieces > 1 ? "several" : "one", store.drained > 0 ? "drained" : "at once",
         store.closed);
  return 0;
}
