/* Notifications for one user, kept while it is away.
 *   cc inbox.c $(pkg-config --cflags --libs wspush) -o inbox && ./inbox
 * Then connect to ws://127.0.0.1:8080/ws?as=ada and type "ada: your parcel is here". "ada?" shows what her inbox has.
 *
 * Each user has a channel, and all its connections receive it. A client that comes back says where it was (&since=E.O:
 * Wspush-Position and the envelopes of wspush.v1 tell it), and gets what it has missed; a new one gets all that is
 * kept. Argument: the address to push on. */
#include <ctype.h>
#include <stdio.h>
#include <wspush.h>

enum { NAME_MAX_BYTES = 64, CHANNEL_SIZE = 80 };

static int is_name(const char *name, size_t length) {
  if (length == 0 || length > NAME_MAX_BYTES) return 0;
  for (size_t n = 0; n < length; n++)
    if (!isalnum((unsigned char)name[n])) return 0;
  return 1;
}

static void inbox(char channel[CHANNEL_SIZE], const char *name, size_t length) {
  snprintf(channel, CHANNEL_SIZE, "inbox.%.*s", (int)length, name);
}

/* Here a cookie or a token says who it is; an example believes everybody. */
static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str name, since = {"earliest", 8};
  char channel[CHANNEL_SIZE];
  (void)user_data, (void)server;
  if (wspush_connect_query(connect, WSPUSH_STR("as"), &name) < 0 || !is_name(name.data, name.length)) {
    wspush_connect_refuse(connect, 401, WSPUSH_STR("who are you? connect to /ws?as=YOU"));
    return;
  }
  inbox(channel, name.data, name.length);
  wspush_connect_query(connect, WSPUSH_STR("since"), &since);
  wspush_connect_accept(connect);
  wspush_connect_set_user(connect, name.data, name.length);
  wspush_connect_set_broadcast(connect, 0);
  wspush_connect_add_channel(connect, WSPUSH_STR(channel));
  if (wspush_connect_set_since(connect, WSPUSH_STR(channel), since.data, since.length) < 0)
    wspush_connect_refuse(connect, 400, WSPUSH_STR("since is no position"));
}

/* On the server's thread. */
static void on_history(void *user_data, wspush_server *server, wspush_status status, const wspush_answer *answer) {
  wspush_publication past = {.struct_size = sizeof past};
  (void)user_data, (void)server;
  if (status == WSPUSH_ENOTFOUND) puts("nothing was ever there");
  for (size_t n = 0; answer && wspush_answer_publication(answer, n, &past) == WSPUSH_OK; n++)
    printf("%llu: %.*s\n", (unsigned long long)past.offset, (int)past.length, (const char *)past.data);
  fflush(stdout);
}

static int fail(const char *what) {
  fprintf(stderr, "inbox: %s: %s\n", what, wspush_last_error());
  return 1;
}

int main(int argc, char **argv) {
  wspush_callbacks callbacks = {.struct_size = sizeof callbacks, .on_connect = on_connect};
  wspush_history_query query = {.struct_size = sizeof query, .since = "last:10", .since_length = 7};
  wspush_config *config;
  wspush_server *server;
  wspush_str address;
  char line[1024], channel[CHANNEL_SIZE];

  if (wspush_config_new(&config) < 0) return fail("config");
  if (argc > 1 && wspush_config_set(config, WSPUSH_STR("listen"), WSPUSH_STR(argv[1])) < 0) return fail(argv[1]);
  if (wspush_server_new(config, &callbacks, &server) < 0) return fail("server");
  wspush_config_free(config);
  if (wspush_server_start(server) < 0) return fail("start");
  wspush_server_address(server, 0, &address);
  printf("ws://%.*s/ws?as=NAME\n", (int)address.length, address.data);
  fflush(stdout);

  while (fgets(line, sizeof line, stdin)) {
    size_t length = strcspn(line, "\n"), name = strcspn(line, ":?");
    wspush_receipt receipt = {.struct_size = sizeof receipt};
    line[length] = 0;
    inbox(channel, line, name < NAME_MAX_BYTES ? name : NAME_MAX_BYTES);
    if (!is_name(line, name) || name == length) {
      puts("NAME: what there is to say, or NAME?");
    } else if (line[name] == '?') {
      if (wspush_history(server, WSPUSH_STR(channel), &query, on_history, NULL) < 0) fail("not asked");
    } else {
      const char *text = line + name + 1;
      while (*text == ' ') text++;
      if (wspush_publish(server, WSPUSH_STR(channel), WSPUSH_TEXT, WSPUSH_STR(text), &receipt) < 0)
        fail("not pushed");
      else
        printf("%.*s has %llu\n", (int)name, line, (unsigned long long)receipt.offset);
    }
    fflush(stdout);
  }
  wspush_server_stop(server, 2000);
  return wspush_server_free(server) < 0;
}
