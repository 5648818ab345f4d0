/* What the test hosts share: they say where they listen, and take commands, one a line, on standard input. */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wspush.h"

/* A call that must succeed. */
#define MUST(call) must((call), #call, __FILE__, __LINE__)
/* A call that must give just this status. */
#define GIVES(wanted, call) gives((wanted), (call), #call, __FILE__, __LINE__)
/* A condition that must hold. */
#define HOLDS(condition) holds((condition) != 0, #condition, __FILE__, __LINE__)

static inline void holds(int condition, const char *text, const char *file, int line) {
  if (!condition) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    exit(1);
  }
}

static inline void gives(int wanted, int status, const char *call, const char *file, int line) {
  if (status != wanted) {
    fprintf(stderr, "%s:%d: %s gives %d (%s; %s), not %d\n", file, line, call, status, wspush_strerror(status),
            wspush_last_error(), wanted);
    exit(1);
  }
}

static inline int must(int status, const char *call, const char *file, int line) {
  if (status < 0) gives(0, status, call, file, line);
  return status;
}

/* The settings of all hosts: a free port of the loopback, and few connections, which valgrind likes better. */
static inline wspush_config *host_config(void) {
  wspush_config *config = NULL;
  MUST(wspush_config_new(&config));
  MUST(wspush_config_set(config, WSPUSH_STR("listen"), WSPUSH_STR("127.0.0.1:0")));
  MUST(wspush_config_set(config, WSPUSH_STR("log_level"), WSPUSH_STR("warn")));
  MUST(wspush_config_set_int(config, WSPUSH_STR("max_connections"), 1000));
  return config;
}

static inline wspush_server *host_server(const wspush_callbacks *callbacks) {
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  MUST(wspush_server_new(config, callbacks, &server));
  wspush_config_free(config);
  return server;
}

/* The line for which the driver waits. */
static inline void host_say_port(const wspush_server *server) {
  uint16_t port = 0;
  MUST(wspush_server_port(server, &port));
  printf("port %u\n", (unsigned)port);
  fflush(stdout);
}

/* The next command without its newline; 0 at the end. */
static inline int host_command(char *line, size_t size) {
  if (!fgets(line, (int)size, stdin)) return 0;
  line[strcspn(line, "\n")] = 0;
  return 1;
}

#endif
