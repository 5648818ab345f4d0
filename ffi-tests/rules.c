/* The rules between host and library: versions, sizes, settings, stopping, forking, several servers, signals. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

static void versions(void) {
  HOLDS(wspush_abi_version() >= WSPUSH_ABI_VERSION);
  HOLDS(strchr(wspush_version(), '.') != NULL);
  HOLDS(strcmp(wspush_strerror(WSPUSH_OK), wspush_strerror(WSPUSH_EAGAIN)) != 0);
  HOLDS(wspush_strerror(-12345)[0] != 0);
  HOLDS(wspush_last_error()[0] == 0);
}

static void settings(void) {
  wspush_config *config = host_config();
  wspush_server *server = (wspush_server *)&config;
  GIVES(WSPUSH_ECONFIG, wspush_config_set(config, WSPUSH_STR("max_conections"), WSPUSH_STR("1")));
  HOLDS(strstr(wspush_last_error(), "did you mean \"max_connections\"") != NULL);
  GIVES(WSPUSH_ECONFIG, wspush_config_set_int(config, WSPUSH_STR("max_connections"), -1));
  HOLDS(strstr(wspush_last_error(), "allowed 1..=") != NULL);
  GIVES(WSPUSH_ECONFIG, wspush_config_load(config, WSPUSH_STR("/nowhere/wspush.toml")));
  MUST(wspush_config_set_int(config, WSPUSH_STR("demo"), 1));
  MUST(wspush_config_check(config));
  /* Nobody may push from elsewhere without a token; the error names what does not go together. */
  MUST(wspush_config_set(config, WSPUSH_STR("admin"), WSPUSH_STR("0.0.0.0:0")));
  GIVES(WSPUSH_ECONFIG, wspush_config_check(config));
  GIVES(WSPUSH_ECONFIG, wspush_server_new(config, NULL, &server));
  MUST(wspush_config_set(config, WSPUSH_STR("admin"), WSPUSH_STR("off")));
  MUST(wspush_config_set(config, WSPUSH_STR("listen"), WSPUSH_STR("192.0.2.1:1")));
  GIVES(WSPUSH_ELISTEN, wspush_server_new(config, NULL, &server));
  HOLDS(strstr(wspush_last_error(), "192.0.2.1:1") != NULL);
  HOLDS(server == (wspush_server *)&config);
  wspush_config_free(config);
  wspush_config_free(NULL);
}

/* Nothing that the library says has a piece of a key in it, nor of a token. */
static void secrets(void) {
  static const char key[] = "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp\\n-----END PRIVATE KEY-----";
  char name[] = "/tmp/wspush-rules-XXXXXX";
  int file = mkstemp(name);
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  HOLDS(file >= 0 && write(file, key, strlen(key)) == (ssize_t)strlen(key) && close(file) == 0);
  GIVES(WSPUSH_ECONFIG, wspush_config_load(config, name, strlen(name)));
  HOLDS(strstr(wspush_last_error(), name) != NULL && strstr(wspush_last_error(), "MC4C") == NULL);
  GIVES(WSPUSH_ECONFIG, wspush_config_set(config, WSPUSH_STR("tls_key"), key, strlen(key)));
  HOLDS(strstr(wspush_last_error(), "tls_key") != NULL && strstr(wspush_last_error(), "MC4C") == NULL);
  GIVES(WSPUSH_ECONFIG, wspush_config_set(config, WSPUSH_STR("hunter2"), WSPUSH_STR("admin_token")));
  HOLDS(strstr(wspush_last_error(), "hunter2") == NULL);
  GIVES(WSPUSH_ECONFIG, wspush_config_set(config, WSPUSH_STR("admin_token"), WSPUSH_STR("hunter2 ")));
  HOLDS(strstr(wspush_last_error(), "admin_token") != NULL && strstr(wspush_last_error(), "hunter2") == NULL);
  /* A variable that was never set is no token, and no token is not meant. */
  GIVES(WSPUSH_ECONFIG, wspush_config_set(config, WSPUSH_STR("admin_token"), "", 0));
  MUST(wspush_config_set(config, WSPUSH_STR("listen"), WSPUSH_STR("tls://127.0.0.1:0")));
  MUST(wspush_config_set(config, WSPUSH_STR("tls_cert"), name, strlen(name)));
  MUST(wspush_config_set(config, WSPUSH_STR("tls_key"), name, strlen(name)));
  GIVES(WSPUSH_ECONFIG, wspush_server_new(config, NULL, &server));
  HOLDS(strstr(wspush_last_error(), name) != NULL && strstr(wspush_last_error(), "MC4C") == NULL);
  HOLDS(strstr(wspush_last_error(), "77, 67, 52") == NULL);
  HOLDS(unlink(name) == 0);
  wspush_config_free(config);
}

/* The logs are written while the server goes on, and the file is there whole or not at all. */
static void state(void) {
  char folder[] = "/tmp/wspush-rules-XXXXXX", file[64], bytes[4096];
  struct timespec a_while = {.tv_nsec = 5000000};
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  FILE *written = NULL;
  HOLDS(mkdtemp(folder) != NULL);
  snprintf(file, sizeof file, "%s/state", folder);
  MUST(wspush_config_set(config, WSPUSH_STR("state_file"), file, strlen(file)));
  MUST(wspush_server_new(config, NULL, &server));
  MUST(wspush_server_start(server));
  MUST(wspush_publish(server, WSPUSH_STR("news"), WSPUSH_TEXT, "kept", 4, NULL));
  MUST(wspush_server_save_state(server));
  while ((written = fopen(file, "rb")) == NULL) nanosleep(&a_while, NULL);
  size_t count = fread(bytes, 1, sizeof bytes, written);
  HOLDS(fclose(written) == 0 && memmem(bytes, count, "kept", 4) != NULL);
  MUST(wspush_server_stop(server, 0));
  GIVES(WSPUSH_ESTOPPED, wspush_server_save_state(server));
  MUST(wspush_server_free(server));
  wspush_config_free(config);
  HOLDS(unlink(file) == 0 && rmdir(folder) == 0);
}

static void sizes(wspush_server *server) {
  struct {
    wspush_stats stats;
    uint64_t newer;
  } large;
  struct {
    wspush_callbacks callbacks;
    void (*newer)(void);
  } extended;
  wspush_receipt receipt;
  wspush_server *none = NULL;
  wspush_config *config = host_config();
  memset(&large, 0xaa, sizeof large);
  large.stats.struct_size = sizeof large; /* a host that was built for a newer library */
  MUST(wspush_server_stats(server, &large.stats));
  HOLDS(large.stats.connections == 0 && large.newer == UINT64_C(0xaaaaaaaaaaaaaaaa));
  HOLDS(large.stats.struct_size == sizeof large);
  memset(&receipt, 0xaa, sizeof receipt);
  receipt.struct_size = 8;
  GIVES(WSPUSH_ESIZE, wspush_broadcast(server, WSPUSH_TEXT, WSPUSH_STR("x"), &receipt));
  HOLDS(receipt.id == UINT64_C(0xaaaaaaaaaaaaaaaa));
  memset(&extended, 0, sizeof extended);
  extended.callbacks.struct_size = sizeof extended;
  MUST(wspush_server_new(config, &extended.callbacks, &none));
  MUST(wspush_server_free(none));
  none = NULL;
  extended.newer = (void (*)(void))versions; /* it would never be called, and the host must know */
  GIVES(WSPUSH_ESIZE, wspush_server_new(config, &extended.callbacks, &none));
  HOLDS(none == NULL);
  wspush_config_free(config);
}

/* What was never set is nobody, and never everybody. */
static void nobody(wspush_server *server) {
  const char *name = "";
  GIVES(WSPUSH_ECHANNEL, wspush_publish(server, NULL, 0, WSPUSH_TEXT, "x", 1, NULL));
  GIVES(WSPUSH_ECHANNEL, wspush_publish(server, name, 0, WSPUSH_TEXT, "x", 1, NULL));
  GIVES(WSPUSH_EINVAL, wspush_send(server, 0, WSPUSH_TEXT, "x", 1));
  HOLDS(strstr(wspush_last_error(), "0 is no connection's id") != NULL);
  GIVES(WSPUSH_EINVAL, wspush_close(server, 0, 1000, NULL, 0));
  GIVES(WSPUSH_EINVAL, wspush_subscribe(server, 0, WSPUSH_STR("a")));
  GIVES(WSPUSH_EINVAL, wspush_unsubscribe(server, 0, WSPUSH_STR("a")));
  GIVES(WSPUSH_EINVAL, wspush_subscribe_since(server, 0, WSPUSH_STR("a"), WSPUSH_STR("head")));
  GIVES(WSPUSH_EINVAL, wspush_subscribe_since(server, 1, WSPUSH_STR("a"), WSPUSH_STR("now")));
  HOLDS(strstr(wspush_last_error(), "since is not one of E.O, head, earliest") != NULL);
  GIVES(WSPUSH_ECHANNEL, wspush_subscribe_since(server, 1, name, 0, WSPUSH_STR("head")));
  MUST(wspush_subscribe_since(server, 1, WSPUSH_STR("a"), WSPUSH_STR("1795257271813595.42")));
  GIVES(WSPUSH_ECHANNEL, wspush_subscribe(server, 1, name, 0));
  GIVES(WSPUSH_ECHANNEL, wspush_unsubscribe(server, 1, name, 0));
  GIVES(WSPUSH_EINVAL, wspush_publish_user(server, name, 0, WSPUSH_TEXT, "x", 1));
  HOLDS(strstr(wspush_last_error(), "256 bytes") != NULL);
  GIVES(WSPUSH_EINVAL, wspush_publish_user(server, NULL, 0, WSPUSH_TEXT, "x", 1));
  GIVES(WSPUSH_EEMPTY, wspush_publish_user(server, WSPUSH_STR("u"), WSPUSH_TEXT, NULL, 0));
  GIVES(WSPUSH_EINVAL, wspush_disconnect_user(server, name, 0, 1000, NULL, 0));
  GIVES(WSPUSH_EINVAL, wspush_disconnect_user(server, WSPUSH_STR("u"), 1005, NULL, 0));
  GIVES(WSPUSH_EINVAL, wspush_revoke_user(server, name, 0, 1000, NULL, 0));
  GIVES(WSPUSH_EINVAL, wspush_revoke_user(server, WSPUSH_STR("u"), 1005, NULL, 0));
  GIVES(WSPUSH_EINVAL, wspush_subscribe_user(server, name, 0, WSPUSH_STR("a")));
  GIVES(WSPUSH_ECHANNEL, wspush_subscribe_user(server, WSPUSH_STR("u"), name, 0));
  GIVES(WSPUSH_EINVAL, wspush_unsubscribe_user(server, name, 0, WSPUSH_STR("a")));
  GIVES(WSPUSH_ECHANNEL, wspush_unsubscribe_user(server, WSPUSH_STR("u"), name, 0));
  wspush_stats stats;
  memset(&stats, 0, sizeof stats);
  stats.struct_size = sizeof stats;
  MUST(wspush_server_stats(server, &stats));
  HOLDS(stats.publications == 0);
}

static void *poller(void *server) {
  int status;
  do status = wspush_server_poll(server, -1);
  while (status == WSPUSH_OK);
  return (void *)(intptr_t)status;
}

/* One thread polls without end, another one stops. */
static void stop_from_elsewhere(void) {
  wspush_server *server = host_server(NULL);
  pthread_t thread;
  void *status;
  HOLDS(pthread_create(&thread, NULL, poller, server) == 0);
  usleep(20000);
  MUST(wspush_server_stop(server, 1000));
  HOLDS(pthread_join(thread, &status) == 0);
  HOLDS((intptr_t)status == WSPUSH_DONE || (intptr_t)status == WSPUSH_ESTOPPED);
  MUST(wspush_server_stop(server, 1000));
  GIVES(WSPUSH_ESTOPPED, wspush_server_start(server));
  for (int n = 0; n < 100; n++) MUST(wspush_server_drain(server, 0));
  MUST(wspush_server_free(server));
}

static void several(void) {
  wspush_server *servers[4];
  uint16_t ports[4];
  wspush_str address;
  for (int n = 0; n < 4; n++) {
    servers[n] = host_server(NULL);
    MUST(wspush_server_start(servers[n]));
    GIVES(WSPUSH_ESTATE, wspush_server_start(servers[n]));
    GIVES(WSPUSH_ESTATE, wspush_server_poll(servers[n], 0));
    MUST(wspush_server_port(servers[n], &ports[n]));
    MUST(wspush_server_address(servers[n], 0, &address));
    GIVES(WSPUSH_ENOTFOUND, wspush_server_address(servers[n], 1, &address));
    GIVES(WSPUSH_ENOTFOUND, wspush_server_admin_address(servers[n], &address));
    for (int m = 0; m < n; m++) HOLDS(ports[m] != ports[n]);
  }
  for (int n = 0; n < 4; n++) MUST(wspush_server_free(servers[n]));
}

/* A child has the handle and nothing behind it. */
static void forked(wspush_server *server) {
  pid_t child = fork();
  HOLDS(child >= 0);
  if (child == 0) {
    int ok = wspush_broadcast(server, WSPUSH_TEXT, WSPUSH_STR("x"), NULL) == WSPUSH_EFORK &&
             wspush_server_stop(server, 0) == WSPUSH_EFORK && wspush_server_free(server) == WSPUSH_EFORK;
    /* Another program, since a leak check would miss the thread that only the parent has. */
    if (ok) execl("/bin/true", "true", (char *)NULL);
    _exit(1);
  }
  int status = -1;
  HOLDS(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  MUST(wspush_broadcast(server, WSPUSH_TEXT, WSPUSH_STR("x"), NULL));
}

/* A child that lives on has copies of all sockets. Peers see the end all the same, and the port is free. */
static void forked_and_alive(void) {
  wspush_server *server = host_server(NULL);
  const char *request = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  struct timeval patience = {30, 0};
  struct sockaddr_in address;
  char answer[1024];
  int yes = 1;
  uint16_t port;
  MUST(wspush_server_start(server));
  MUST(wspush_server_port(server, &port));
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  HOLDS(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  HOLDS(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
  HOLDS(send(client, request, strlen(request), 0) == (ssize_t)strlen(request));
  HOLDS(recv(client, answer, sizeof answer, 0) > 12 && memcmp(answer, "HTTP/1.1 101", 12) == 0);
  pid_t child = fork();
  HOLDS(child >= 0);
  if (child == 0) {
    for (;;) pause();
  }
  MUST(wspush_server_stop(server, 0));
  MUST(wspush_server_free(server));
  ssize_t got;
  do got = recv(client, answer, sizeof answer, 0);
  while (got > 0);
  HOLDS(got == 0 || errno == ECONNRESET);
  close(client);
  int successor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  HOLDS(setsockopt(successor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  HOLDS(bind(successor, (struct sockaddr *)&address, sizeof address) == 0 && listen(successor, 1) == 0);
  close(successor);
  HOLDS(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}

static volatile sig_atomic_t alarms;
static pthread_t main_thread;

static void on_alarm(int signal) {
  (void)signal;
  if (pthread_equal(pthread_self(), main_thread)) alarms++;
}

/* Signals come to the host's threads, never to the library's. */
static void signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  sigemptyset(&action.sa_mask);
  main_thread = pthread_self();
  HOLDS(sigaction(SIGUSR1, &action, NULL) == 0);
  for (int n = 1; n <= 100; n++) {
    HOLDS(kill(getpid(), SIGUSR1) == 0);
    HOLDS(alarms == n);
  }
}

int main(void) {
  versions();
  settings();
  secrets();
  state();
  wspush_server *server = host_server(NULL);
  sizes(server);
  nobody(server);
  MUST(wspush_server_start(server));
  signals();
  forked(server);
  forked_and_alive();
  several();
  stop_from_elsewhere();
  MUST(wspush_server_stop(server, -1));
  MUST(wspush_server_free(server));
  MUST(wspush_server_free(NULL));
  puts("the rules hold");
  return 0;
}
