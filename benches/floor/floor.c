/* The floor: the least a push server can do. It answers every handshake with constants, keeps an array of
 * descriptors, and on `POST /push` loops send() over them. Nothing is validated and nothing is kept, so what
 * it costs is the kernel's price for the sockets on this machine; every real server is measured as a ratio to
 * it, in the same run.
 *
 * The accept value is that of the sample key in RFC 6455 section 1.3, so a client must send that key
 * (`wspush-bench --fixed-key`). A frame that a client sends is echoed, when it arrives whole.
 *
 *     cc -O2 -o floor floor.c && ./floor 7100 7200
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 1024, INPUT_MAX = 1 << 20, HEADER_MAX = 10, SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };
enum kind { FREE, LISTENER, ADMIN_LISTENER, ADMIN, GREETING, OPEN };

static const char SWITCHING[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char PUSHED[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static int poller;
static uint8_t *kinds;           /* what each descriptor is */
static int *open_fds, *place_of; /* the open WebSockets, and where each of them stands in that array */
static int open_count;
static char input[INPUT_MAX + 1], output[INPUT_MAX + HEADER_MAX];
static char admin_input[INPUT_MAX + 1]; /* one admin connection at a time may be in the middle of a request */
static size_t admin_held;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int fd, enum kind kind, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    kinds[fd] = kind;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

static void listen_on(int port, enum kind kind) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* inherited by what it accepts */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) die("listen");
    watch(fd, kind, EPOLLIN | EPOLLET);
}

static void drop(int fd) {
    if (kinds[fd] == OPEN) {
        int last = open_fds[--open_count];
        open_fds[place_of[fd]] = last;
        place_of[last] = place_of[fd];
    } else if (kinds[fd] == ADMIN) {
        admin_held = 0;
    }
    kinds[fd] = FREE;
    close(fd);
}

static size_t frame_header(char *at, int opcode, size_t length) {
    at[0] = (char)(0x80 | opcode);
    if (length < 126) return at[1] = (char)length, 2;
    if (length < 65536) return at[1] = 126, at[2] = (char)(length >> 8), at[3] = (char)length, 4;
    at[1] = 127;
    for (int i = 0; i < 8; i++) at[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
    return 10;
}

static void push_to_all(const char *body, size_t length) {
    size_t header = frame_header(output, 1, length);
    memcpy(output + header, body, length);
    for (int i = 0; i < open_count; i++) send(open_fds[i], output, header + length, SEND_FLAGS);
}

/* Reads pipelined POSTs, one send per connection and publication. */
static void serve_admin(int fd) {
    for (;;) {
        ssize_t got = recv(fd, admin_input + admin_held, INPUT_MAX - admin_held, MSG_DONTWAIT);
        if (got <= 0) {
            if (got == 0 || errno != EAGAIN) drop(fd);
            return;
        }
        admin_held += (size_t)got;
        admin_input[admin_held] = 0;
        size_t done = 0;
        for (;;) {
            char *head = admin_input + done, *end = strstr(head, "\r\n\r\n");
            if (!end) break;
            char *field = strcasestr(head, "\r\ncontent-length:");
            size_t length = field && field < end ? strtoul(field + 17, NULL, 10) : 0;
            if (end + 4 + length > admin_input + admin_held) break;
            push_to_all(end + 4, length);
            send(fd, PUSHED, sizeof PUSHED - 1, SEND_FLAGS);
            done = (size_t)(end + 4 + length - admin_input);
        }
        memmove(admin_input, admin_input + done, admin_held -= done);
    }
}

/* Echoes the whole masked frames in the input with one send. */
static void echo(int fd, size_t got) {
    size_t at = 0, out = 0;
    while (got - at >= 6) {
        uint8_t *frame = (uint8_t *)input + at;
        int opcode = frame[0] & 15;
        size_t length = frame[1] & 127, header = 2;
        if (length == 126) length = (size_t)frame[2] << 8 | frame[3], header = 4;
        if (opcode > 2 || at + header + 4 + length > got) break; /* a close, or too much */
        uint8_t *mask = frame + header, *payload = mask + 4;
        out += frame_header(output + out, opcode, length);
        for (size_t i = 0; i < length; i++) output[out + i] = (char)(payload[i] ^ mask[i & 3]);
        out += length;
        at += header + 4 + length;
    }
    if (out) send(fd, output, out, SEND_FLAGS);
}

static void serve(int fd) {
    ssize_t got = recv(fd, input, INPUT_MAX, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) drop(fd);
    } else if (kinds[fd] == OPEN) {
        echo(fd, (size_t)got);
    } else { /* a request comes in one segment on loopback, and its end is all that is looked at */
        if (got < 4 || memcmp(input + got - 4, "\r\n\r\n", 4)) return drop(fd);
        send(fd, SWITCHING, sizeof SWITCHING - 1, SEND_FLAGS);
        kinds[fd] = OPEN;
        place_of[fd] = open_count;
        open_fds[open_count++] = fd;
    }
}

static void accept_all(int listener, enum kind kind) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(fd, kind, EPOLLIN | EPOLLET);
}

int main(int argc, char **argv) {
    struct rlimit files;
    if (argc != 3) return fprintf(stderr, "usage: floor PORT ADMIN_PORT\n"), 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    kinds = calloc(files.rlim_max, sizeof *kinds);
    open_fds = calloc(files.rlim_max, sizeof *open_fds);
    place_of = calloc(files.rlim_max, sizeof *place_of);
    poller = epoll_create1(0);
    if (!kinds || !open_fds || !place_of || poller < 0) die("start");
    listen_on(atoi(argv[1]), LISTENER);
    listen_on(atoi(argv[2]), ADMIN_LISTENER);
    for (;;) {
        static struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(poller, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            switch ((enum kind)kinds[fd]) {
            case LISTENER: accept_all(fd, GREETING); break;
            case ADMIN_LISTENER: accept_all(fd, ADMIN); break;
            case ADMIN: serve_admin(fd); break;
            case GREETING:
            case OPEN: serve(fd); break;
            case FREE: break;
            }
        }
    }
}
