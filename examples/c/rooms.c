/* A chat with rooms at paths of their own, and an echo beside it.
 *   cc rooms.c $(pkg-config --cflags --libs wspush) -o rooms && ./rooms
 * Then connect to ws://127.0.0.1:8080/chat/lobby?name=Ada, twice. Argument: the address to listen on. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <wspush.h>

enum { NAME_SIZE = 64, LINE_SIZE = 1200 };

/* Kept by the connection of each guest. */
struct guest {
  char name[NAME_SIZE], channel[NAME_SIZE + 8];
  unsigned long messages;
};

static void tell(wspush_server *server, const char *channel, const char *line) {
  if (wspush_publish(server, WSPUSH_STR(channel), WSPUSH_TEXT, line, strlen(line), NULL) < 0)
    fprintf(stderr, "rooms: not told: %s\n", wspush_last_error());
}

static struct guest *guest_of(wspush_session *session) {
  void *guest = NULL;
  wspush_session_attribute(session, &guest);
  return guest;
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str room, name;
  (void)user_data, (void)server;
  if (wspush_connect_query(connect, WSPUSH_STR("name"), &name) < 0 &&
      wspush_connect_cookie(connect, WSPUSH_STR("name"), &name) < 0) {
    wspush_connect_refuse(connect, 400, WSPUSH_STR("who are you? connect to /chat/ROOM?name=YOU"));
    return;
  }
  /* A room's name is anything that a path can say, and a channel's name is not. */
  int is_room = wspush_connect_param(connect, WSPUSH_STR("room"), &room) == WSPUSH_OK && room.length < NAME_SIZE;
  for (size_t n = 0; is_room && n < room.length; n++) is_room = isalnum((unsigned char)room.data[n]);
  if (!is_room) {
    wspush_connect_refuse(connect, 404, WSPUSH_STR("rooms have letters and digits"));
    return;
  }
  struct guest *guest = calloc(1, sizeof *guest);
  if (!guest) {
    wspush_connect_refuse(connect, 503, WSPUSH_STR("no memory"));
    return;
  }
  snprintf(guest->name, sizeof guest->name, "%.*s", (int)(name.length < NAME_SIZE ? name.length : NAME_SIZE - 1),
           name.data);
  snprintf(guest->channel, sizeof guest->channel, "room.%.*s", (int)room.length, room.data);
  wspush_connect_accept(connect);
  wspush_connect_set_broadcast(connect, 0);
  wspush_connect_add_channel(connect, WSPUSH_STR(guest->channel));
  /* From here on it is the connection's, which frees it. */
  if (wspush_connect_set_attribute(connect, guest, free) < 0) free(guest);
}

static void on_open(void *user_data, wspush_server *server, wspush_session *session) {
  struct guest *guest = guest_of(session);
  char line[LINE_SIZE];
  (void)user_data;
  if (!guest) return;
  wspush_session_set_idle_timeout(session, 3600 * 1000);
  snprintf(line, sizeof line, "* %s has joined", guest->name);
  tell(server, guest->channel, line);
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind, const void *data,
                       size_t length) {
  struct guest *guest = guest_of(session);
  char line[LINE_SIZE];
  (void)user_data;
  if (kind != WSPUSH_TEXT || !guest) {
    wspush_session_close(session, 1003, WSPUSH_STR("this chat is text"));
    return;
  }
  guest->messages++;
  snprintf(line, sizeof line, "%s: %.*s", guest->name, (int)length, (const char *)data);
  tell(server, guest->channel, line);
}

static void on_closed(void *user_data, wspush_server *server, const wspush_closed *closed) {
  void *kept = NULL;
  char line[LINE_SIZE];
  (void)user_data;
  if (wspush_closed_attribute(closed, &kept) < 0) return;
  struct guest *guest = kept;
  snprintf(line, sizeof line, "* %s has left after %lu messages", guest->name, guest->messages);
  tell(server, guest->channel, line);
}

static void on_echo(void *user_data, wspush_server *server, wspush_session *session, int32_t kind, const void *data,
                    size_t length) {
  (void)user_data, (void)server;
  wspush_session_reply(session, kind, data, length);
}

static int fail(const char *what) {
  fprintf(stderr, "rooms: %s: %s\n", what, wspush_last_error());
  return 1;
}

int main(int argc, char **argv) {
  wspush_callbacks chat = {.struct_size = sizeof chat, .on_connect = on_connect, .on_open = on_open,
                           .on_message = on_message, .on_closed = on_closed};
  wspush_callbacks echo = {.struct_size = sizeof echo, .on_message = on_echo};
  wspush_route_terms terms = {.struct_size = sizeof terms, .message_bytes_max = 1000};
  wspush_config *config;
  wspush_server *server;
  wspush_str address;
  uint32_t route;

  if (wspush_config_new(&config) < 0) return fail("config");
  if (argc > 1 && wspush_config_set(config, WSPUSH_STR("listen"), WSPUSH_STR(argv[1])) < 0) return fail(argv[1]);
  if (wspush_route_add(config, WSPUSH_STR("/chat/{room}"), &terms, &chat, &route) < 0) return fail("chat");
  if (wspush_route_add(config, WSPUSH_STR("/echo"), NULL, &echo, &route) < 0) return fail("echo");
  if (wspush_server_new(config, NULL, &server) < 0) return fail("server");
  wspush_config_free(config);
  if (wspush_server_start(server) < 0) return fail("start");
  wspush_server_address(server, 0, &address);
  printf("ws://%.*s/chat/ROOM?name=NAME\n", (int)address.length, address.data);
  fflush(stdout);

  /* Until the end of the input. */
  while (getchar() != EOF) {
  }
  wspush_server_stop(server, 2000);
  return wspush_server_free(server) < 0;
}
