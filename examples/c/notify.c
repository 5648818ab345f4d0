/* Online notification: a form posts, and everybody who has the page open gets it.
 *   cc notify.c $(pkg-config --cflags --libs wspush) -o notify && ./notify
 * Then open http://127.0.0.1:8000/ twice. Arguments: the form's port, the address to push on. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wspush.h>

static const char page[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n"
    "<!doctype html><title>notify</title><form method=post><input name=message autofocus><button>Tell everybody"
    "</button></form><ul id=news></ul><script>new WebSocket('ws://%.*s/ws').onmessage = function (e) {"
    "var li = document.createElement('li'); li.textContent = e.data; news.prepend(li) }</script>\n";
static const char see_other[] = "HTTP/1.1 303 See Other\r\nLocation: /\r\nConnection: close\r\n\r\n";

/* Turns "a%20b+c" into "a b c", in place. */
static void decode(char *text) {
  char *to = text;
  for (; *text; text++, to++) {
    char hex[3] = {'%', 0, 0};
    if (*text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
      hex[0] = *++text, hex[1] = *++text;
      *to = (char)strtol(hex, NULL, 16);
    } else
      *to = *text == '+' ? ' ' : *text;
  }
  *to = 0;
}

static void die(const char *what, const char *why) {
  fprintf(stderr, "notify: %s: %s\n", what, why);
  exit(1);
}

int main(int argc, char **argv) {
  struct sockaddr_in form = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof form;
  form.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 8000));
  int listener = socket(AF_INET, SOCK_STREAM, 0), client;
  if (bind(listener, (struct sockaddr *)&form, size) < 0 || listen(listener, 16) < 0) die("no form", "port taken");
  getsockname(listener, (struct sockaddr *)&form, &size);

  /* The page comes from another port, and so from another origin: without this a browser that has a cookie for this
   * host, of whatever program, would be refused. */
  int port = ntohs(form.sin_port);
  char origins[80];
  snprintf(origins, sizeof origins, "http://127.0.0.1:%d,http://localhost:%d", port, port);

  wspush_config *config;
  wspush_server *server;
  wspush_str address;
  if (wspush_config_new(&config) < 0 ||
      wspush_config_set(config, WSPUSH_STR("listen"), WSPUSH_STR(argc > 2 ? argv[2] : "127.0.0.1:8080")) < 0 ||
      wspush_config_set(config, WSPUSH_STR("origins"), WSPUSH_STR(origins)) < 0 ||
      wspush_server_new(config, NULL, &server) < 0 || wspush_server_start(server) < 0)
    die("cannot push", wspush_last_error());
  wspush_config_free(config);
  wspush_server_address(server, 0, &address);
  printf("form on http://127.0.0.1:%d/, pushing on %.*s\n", port, (int)address.length, address.data);
  fflush(stdout);

  while ((client = accept(listener, NULL, NULL)) >= 0) { /* one small request at a time: it is an example */
    char request[4096], *message;
    ssize_t length = read(client, request, sizeof request - 1);
    request[length > 0 ? length : 0] = 0;
    if (strncmp(request, "POST", 4) == 0 && (message = strstr(request, "\r\n\r\nmessage=")) != NULL) {
      decode(message += 12);
      if (wspush_broadcast(server, WSPUSH_TEXT, WSPUSH_STR(message), NULL) < 0)
        fprintf(stderr, "notify: not pushed: %s\n", wspush_last_error());
      dprintf(client, "%s", see_other);
    } else
      dprintf(client, page, (int)address.length, address.data);
    close(client);
  }
  return wspush_server_free(server);
}
