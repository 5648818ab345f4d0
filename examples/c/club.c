/* A club whose members are pages with pusher-js. The host decides who may have which private channel, in place of a
 * backend that signs.
 *   cc club.c $(pkg-config --cflags --libs wspush) -lpthread -o club && ./club
 *
 * A page says who it is where a signature would stand: new Pusher("club", {..., channelAuthorization: {customHandler:
 * ({channelName}, done) => done(null, {auth: "ada"})}}). Members come to private-hall at once, are seen in
 * presence-lounge, and wait for the door of private-vault: type "yes ada" or "no ada". Argument: the address. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <wspush.h>

enum { NAME_MAX_BYTES = 64, WAITING_MAX = 16 };

/* Who waits for the vault: which question of which connection it is. */
static struct {
  char name[NAME_MAX_BYTES + 1];
  uint64_t conn, number;
} waiting[WAITING_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_name(wspush_str name) {
  if (name.length == 0 || name.length > NAME_MAX_BYTES) return 0;
  for (size_t n = 0; n < name.length; n++)
    if (!isalnum((unsigned char)name.data[n])) return 0;
  return 1;
}

static int is(wspush_str text, const char *other) {
  return text.length == strlen(other) && memcmp(text.data, other, text.length) == 0;
}

/* Whether there is room for one more. */
static int wait_for_vault(const wspush_authorization_info *asked) {
  int n = 0;
  pthread_mutex_lock(&lock);
  while (n < WAITING_MAX && waiting[n].name[0] && !is(asked->auth, waiting[n].name)) n++;
  if (n < WAITING_MAX) {
    snprintf(waiting[n].name, sizeof waiting[n].name, "%.*s", (int)asked->auth.length, asked->auth.data);
    waiting[n].conn = asked->conn, waiting[n].number = asked->number;
  }
  pthread_mutex_unlock(&lock);
  return n < WAITING_MAX;
}

/* Here a token says who it is; an example believes everybody. */
static void on_authorize(void *user_data, wspush_server *server, wspush_authorization *asked) {
  wspush_authorization_info info = {.struct_size = sizeof info};
  char json[2 * NAME_MAX_BYTES];
  (void)user_data, (void)server;
  /* A backend may have signed what is no name. */
  if (wspush_authorization_read(asked, &info) < 0 || !is_name(info.auth)) return;
  if (info.channel.length == 0) {
    snprintf(json, sizeof json, "{\"id\":\"%.*s\"}", (int)info.auth.length, info.auth.data);
    wspush_authorization_allow(asked, WSPUSH_STR(json));
  } else if (is(info.channel, "private-hall")) {
    wspush_authorization_allow(asked, NULL, 0);
  } else if (is(info.channel, "presence-lounge")) {
    snprintf(json, sizeof json, "{\"user_id\":\"%.*s\",\"user_info\":{}}", (int)info.auth.length, info.auth.data);
    wspush_authorization_allow(asked, WSPUSH_STR(json));
  } else if (is(info.channel, "private-vault") && wait_for_vault(&info)) {
    printf("%.*s asks for the vault\n", (int)info.auth.length, info.auth.data);
    fflush(stdout);
    wspush_authorization_pend(asked);
  } else {
    wspush_authorization_refuse(asked, WSPUSH_STR("there is no such room"));
  }
}

/* Opens the vault for the one of this name, or doesn't; whether that one waits. */
static int answer(wspush_server *server, int yes, const char *name) {
  uint64_t conn = 0, number = 0;
  pthread_mutex_lock(&lock);
  for (int n = 0; n < WAITING_MAX; n++)
    if (name[0] && strcmp(waiting[n].name, name) == 0) {
      conn = waiting[n].conn, number = waiting[n].number;
      waiting[n].name[0] = 0;
    }
  pthread_mutex_unlock(&lock);
  if (conn == 0) return 0;
  if (yes) return wspush_authorize(server, conn, number, NULL, 0) == WSPUSH_OK;
  return wspush_refuse_authorization(server, conn, number, WSPUSH_STR("the vault is for few")) == WSPUSH_OK;
}

static int fail(const char *what) {
  fprintf(stderr, "club: %s: %s\n", what, wspush_last_error());
  return 1;
}

int main(int argc, char **argv) {
  wspush_callbacks callbacks = {.struct_size = sizeof callbacks, .on_authorize = on_authorize};
  wspush_config *config;
  wspush_server *server;
  wspush_str address;
  char line[1024];

  if (wspush_config_new(&config) < 0) return fail("config");
  if (wspush_config_set(config, WSPUSH_STR("pusher_app"), WSPUSH_STR("1 key=club secret=of-nobody")) < 0)
    return fail("app");
  if (argc > 1 && wspush_config_set(config, WSPUSH_STR("listen"), WSPUSH_STR(argv[1])) < 0) return fail(argv[1]);
  if (wspush_server_new(config, &callbacks, &server) < 0) return fail("server");
  wspush_config_free(config);
  if (wspush_server_start(server) < 0) return fail("start");
  wspush_server_address(server, 0, &address);
  printf("ws://%.*s/app/club\n", (int)address.length, address.data);
  fflush(stdout);

  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    int yes = strncmp(line, "yes ", 4) == 0, no = strncmp(line, "no ", 3) == 0;
    if (!(yes || no) || !answer(server, yes, line + (yes ? 4 : 3))) puts("yes NAME or no NAME, of one who waits");
    fflush(stdout);
  }
  wspush_server_stop(server, 2000);
  return wspush_server_free(server) < 0;
}
