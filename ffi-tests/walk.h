/* What the generated walk (tests/ffi/walk.rs) stands on: the world that it calls into, and what must hold after
 * every call. */
#ifndef WALK_H
#define WALK_H

#include "host.h"

enum place { LIVE, IN_CALLBACK, STOPPED, THREAD };

struct world {
  enum place place;
  wspush_server *server;
  wspush_config *config;
  const wspush_connect *connect; /* stale, but for the time of its callback */
  wspush_session *session;
  const wspush_answer *answer; /* stale, but for the time of its callback */
  const wspush_closed *closed; /* stale, but for the time of its callback */
  wspush_callbacks *callbacks, *callbacks_empty;
  char text[300], not_utf8[300], setting[300];
  wspush_str names[2];
  wspush_terms terms;
  wspush_history_query query;
  wspush_acceptance acceptance;
  wspush_refusal refusal;
  wspush_route_terms route;
  wspush_batch_item items[2];
  uint64_t conn;
  unsigned stride, round; /* every how manyth call is made */
  unsigned long calls, errors;
  /* Where outputs go; twice as much as the largest of them. */
  union {
    size_t size;
    void *pointer;
    unsigned char bytes[2 * sizeof(wspush_stats)];
  } output;
  size_t untouched; /* from here on an error must leave it alone */
};

/* A place for an output. */
static inline void *plain(struct world *w) {
  w->untouched = 0;
  return &w->output;
}

/* A place for a struct that claims to have this size. */
static inline void *sized(struct world *w, size_t size) {
  w->output.size = size;
  w->untouched = sizeof(size_t);
  return &w->output;
}

/* Takes the answers to the walk's own questions. */
static inline void on_answer(void *user_data, wspush_server *server, wspush_status status,
                             const wspush_answer *answer) {
  (void)user_data;
  HOLDS(server != NULL && (status == WSPUSH_OK) == (answer != NULL));
  HOLDS(status == WSPUSH_OK || status == WSPUSH_ENOTFOUND || status == WSPUSH_EAGAIN || status == WSPUSH_ESTOPPED);
}

/* It is NULL in the walk. */
static inline void free_attribute(void *attribute) { HOLDS(attribute == NULL); }

static inline int turn(struct world *w) { return ++w->round % w->stride == 0; }

static inline void begin(struct world *w) {
  memset(&w->output, 0xaa, sizeof w->output);
  w->untouched = 0;
}

static inline void end(struct world *w, const char *name, wspush_status status) {
  w->calls++;
  if (status > WSPUSH_DUPLICATE || status == WSPUSH_EPANIC || status < WSPUSH_EREUSED) {
    fprintf(stderr, "%s: %d: %s\n", name, (int)status, wspush_last_error());
    exit(1);
  }
  if (status >= 0) return;
  w->errors++;
  if (wspush_last_error()[0] == 0) {
    fprintf(stderr, "%s: %d without a word\n", name, (int)status);
    exit(1);
  }
  for (size_t n = w->untouched; n < sizeof w->output; n++)
    if (w->output.bytes[n] != 0xaa) {
      fprintf(stderr, "%s: %d, and it wrote an output\n", name, (int)status);
      exit(1);
    }
}

/* What a successful call has made. */
static inline int was_made(const struct world *w) {
  unsigned char none[sizeof(void *)];
  memset(none, 0xaa, sizeof none);
  return memcmp(none, w->output.bytes, sizeof none) != 0;
}

static inline void free_config(struct world *w) {
  if (was_made(w)) wspush_config_free(w->output.pointer);
}

static inline void free_server(struct world *w) {
  if (was_made(w)) MUST(wspush_server_free(w->output.pointer));
}

void walk(struct world *w);

#endif
