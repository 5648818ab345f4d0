/* What wspush_broadcast of 64 bytes costs the thread that calls it: allocations, counted here, and nanoseconds.
 * Instructions are counted by ffi-tests/cost, which runs this under callgrind. */
#include <time.h>

#include "host.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static __thread unsigned long allocations;

void *malloc(size_t size) {
  allocations++;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  allocations++;
  return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  allocations++;
  return __libc_realloc(old, size);
}

static void pause_for_server(const wspush_server *server, uint64_t publications) {
  wspush_stats stats;
  struct timespec millisecond = {0, 1000000};
  stats.struct_size = sizeof stats;
  do {
    nanosleep(&millisecond, NULL);
    MUST(wspush_server_stats(server, &stats));
  } while (stats.publications < publications);
}

int main(int argc, char **argv) {
  unsigned batches = argc > 1 ? (unsigned)atoi(argv[1]) : 20, batch = 500;
  char text[65];
  unsigned long counted = 0;
  double ns = 0;
  wspush_server *server = host_server(NULL);
  MUST(wspush_server_start(server));
  memset(text, 'x', sizeof text);
  /* Once for whatever is made once. */
  for (unsigned n = 0; n < batch; n++) MUST(wspush_broadcast(server, WSPUSH_TEXT, text, 64, NULL));
  pause_for_server(server, batch);
  for (unsigned round = 1; round <= batches; round++) {
    struct timespec from, to;
    unsigned long before = allocations;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (unsigned n = 0; n < batch; n++) MUST(wspush_broadcast(server, WSPUSH_TEXT, text, 64, NULL));
    clock_gettime(CLOCK_MONOTONIC, &to);
    ns += (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    counted += allocations - before;
    pause_for_server(server, (uint64_t)batch * (round + 1));
  }
  MUST(wspush_server_free(server));
  printf("per broadcast of 64 bytes: %.3f allocations, %.0f ns\n", (double)counted / (batch * batches),
         ns / (batch * batches));
  return 0;
}
