/* A device's own daemon: a sensor's value, pushed to everybody who looks whenever it changes, and at once to newcomers.
 *   cc sensor.c $(pkg-config --cflags --libs wspush) -o sensor && ./sensor /sys/class/thermal/thermal_zone0/temp
 * Then connect to ws://127.0.0.1:8080/ws?since=latest. Arguments: the file to read, the address to push on, how often to
 * look, in milliseconds. One thread, and it sleeps in between; the settings are those of a machine with 64 MB. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wspush.h>

static const char *const settings[][2] = {
    {"max_connections", "100"},        {"assembly_bytes_max", "524288"},  {"backlog_bytes_max", "524288"},
    {"inbox_bytes_max", "262144"},     {"inbox_commands_max", "256"},     {"logs_bytes_max", "1048576"},
    {"log_bytes", "16384"},            {"log_publications", "16"},        {"admin_body_bytes_max", "8192"},
    {"message_bytes_max", "4096"},
};

static volatile sig_atomic_t ends;

static void on_signal(int number) {
  (void)number;
  ends = 1;
}

static void die(const char *why) {
  fprintf(stderr, "sensor: %s\n", why);
  exit(1);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads the sensor; its first line without the end. */
static size_t look(const char *path, char *value, size_t size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, value, size - 1);
  if (file >= 0) close(file);
  value[length < 0 ? 0 : length] = 0;
  value[strcspn(value, "\n")] = 0;
  return strlen(value);
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "/sys/class/thermal/thermal_zone0/temp";
  int64_t every_ms = argc > 3 ? atoi(argv[3]) : 1000, next_ms = 0;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigaction(SIGTERM, &action, NULL);

  wspush_config *config = NULL;
  wspush_server *server = NULL;
  wspush_str address;
  int32_t fd = -1;
  if (wspush_config_new(&config) < 0) die(wspush_last_error());
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
    if (wspush_config_set(config, WSPUSH_STR(settings[i][0]), WSPUSH_STR(settings[i][1])) < 0)
      die(wspush_last_error());
  if (wspush_config_set(config, WSPUSH_STR("listen"), WSPUSH_STR(argc > 2 ? argv[2] : "127.0.0.1:8080")) < 0 ||
      wspush_server_new(config, NULL, &server) < 0 || wspush_server_fd(server, &fd) < 0)
    die(wspush_last_error());
  wspush_config_free(config);
  wspush_server_address(server, 0, &address);
  printf("pushing %s on %.*s\n", path, (int)address.length, address.data);
  fflush(stdout);

  char last[128] = "", value[128];
  while (!ends) {
    int64_t now = now_ms();
    if (now >= next_ms) {
      next_ms = now + every_ms;
      size_t length = look(path, value, sizeof value);
      if (length > 0 && strcmp(value, last) != 0) {
        strcpy(last, value);
        if (wspush_broadcast(server, WSPUSH_TEXT, value, length, NULL) < 0) fprintf(stderr, "%s\n", wspush_last_error());
      }
    }
    /* Until the server has something to do, or the sensor is looked at again. */
    int32_t timeout_ms = 0;
    wspush_server_timeout(server, &timeout_ms);
    int64_t wait_ms = next_ms - now;
    if (timeout_ms >= 0 && timeout_ms < wait_ms) wait_ms = timeout_ms;
    struct pollfd events = {.fd = fd, .events = POLLIN};
    poll(&events, 1, (int)wait_ms);
    if (wspush_server_poll(server, 0) < 0) die(wspush_last_error());
  }
  wspush_server_stop(server, 1000);
  return wspush_server_free(server);
}
