/* The floor: the least a push server can do. It answers every handshake with constants, keeps an array of
 * descriptors, and on `POST /push` loops send() over them. Nothing is validated and nothing is kept, so what
 * it costs is the kernel's price for the sockets on this machine; every real server is measured as a ratio to
 * it, in the same run.
 *
 * The accept value is that of the sample key in RFC 6455 section 1.3, so a client must send that key
 * (`wspush-bench --fixed-key`). A frame that a client sends is echoed, when it arrives whole.
 *
 * With `--threads N` the sockets are dealt out to N threads, each with a poll and a loop of its own; the first one
 * accepts and hands each publication to the others, and answers when all have sent it.
 *
 *     cc -O2 -pthread -o floor floor.c && ./floor 7100 7200
 *     ./floor --threads 4 7100 7200
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 1024, INPUT_MAX = 1 << 20, HEADER_MAX = 10, SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };
enum { THREADS_MAX = 64 };
enum kind { FREE, LISTENER, ADMIN_LISTENER, ADMIN, GREETING, OPEN, BELL };

static const char SWITCHING[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char PUSHED[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* A thread, its poll, and its open WebSockets. */
struct loop {
    int poller, bell; /* the others' bell is rung when there is something to send */
    int *open_fds, open_count;
    char *input, *output;
};

static struct loop loops[THREADS_MAX];
static int loop_count = 1, dealt; /* sockets dealt out so far */
static _Thread_local struct loop *own;
static uint8_t *kinds; /* what each descriptor is; its own loop's affair from the time it is dealt out */
static int *place_of;  /* where each open WebSocket stands in the array of its loop */
static const char *pushed;
static size_t pushed_length;
static int sent; /* counts the other threads that have sent it */
static char admin_input[INPUT_MAX + 1]; /* one admin connection at a time may be in the middle of a request */
static size_t admin_held;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(struct loop *loop, int fd, enum kind kind, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    kinds[fd] = kind;
    if (epoll_ctl(loop->poller, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

static void listen_on(int port, enum kind kind) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* inherited by what it accepts */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) die("listen");
    watch(own, fd, kind, EPOLLIN | EPOLLET);
}

static void drop(int fd) {
    if (kinds[fd] == OPEN) {
        int last = own->open_fds[--own->open_count];
        own->open_fds[place_of[fd]] = last;
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

static void push_to_own(const char *body, size_t length) {
    size_t header = frame_header(own->output, 1, length);
    memcpy(own->output + header, body, length);
    for (int i = 0; i < own->open_count; i++) send(own->open_fds[i], own->output, header + length, SEND_FLAGS);
}

static void push_to_all(const char *body, size_t length) {
    uint64_t one = 1;
    pushed = body, pushed_length = length;
    for (int i = 1; i < loop_count; i++)
        if (write(loops[i].bell, &one, sizeof one) < 0) die("eventfd");
    push_to_own(body, length);
    for (int i = 1; i < loop_count; i++)
        if (read(sent, &one, sizeof one) < 0) die("eventfd");
}

/* Another thread's turn of the same. */
static void answer_bell(int bell) {
    uint64_t rung, one = 1;
    if (read(bell, &rung, sizeof rung) < 0) return;
    push_to_own(pushed, pushed_length);
    if (write(sent, &one, sizeof one) < 0) die("eventfd");
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
        uint8_t *frame = (uint8_t *)own->input + at;
        int opcode = frame[0] & 15;
        size_t length = frame[1] & 127, header = 2;
        if (length == 126) length = (size_t)frame[2] << 8 | frame[3], header = 4;
        if (opcode > 2 || at + header + 4 + length > got) break; /* a close, or too much */
        uint8_t *mask = frame + header, *payload = mask + 4;
        out += frame_header(own->output + out, opcode, length);
        for (size_t i = 0; i < length; i++) own->output[out + i] = (char)(payload[i] ^ mask[i & 3]);
        out += length;
        at += header + 4 + length;
    }
    if (out) send(fd, own->output, out, SEND_FLAGS);
}

static void serve(int fd) {
    ssize_t got = recv(fd, own->input, INPUT_MAX, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) drop(fd);
    } else if (kinds[fd] == OPEN) {
        echo(fd, (size_t)got);
    } else { /* a request comes in one segment on loopback, and its end is all that is looked at */
        if (got < 4 || memcmp(own->input + got - 4, "\r\n\r\n", 4)) return drop(fd);
        send(fd, SWITCHING, sizeof SWITCHING - 1, SEND_FLAGS);
        kinds[fd] = OPEN;
        place_of[fd] = own->open_count;
        own->open_fds[own->open_count++] = fd;
    }
}

/* The admin connections stay with the first thread. */
static void accept_all(int listener, enum kind kind) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        watch(kind == GREETING ? &loops[dealt++ % loop_count] : own, fd, kind, EPOLLIN | EPOLLET);
}

static void *run(void *loop) {
    struct epoll_event events[EVENTS_MAX];
    own = loop;
    while (1) {
        int count = epoll_wait(own->poller, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            switch ((enum kind)kinds[fd]) {
            case LISTENER: accept_all(fd, GREETING); break;
            case ADMIN_LISTENER: accept_all(fd, ADMIN); break;
            case ADMIN: serve_admin(fd); break;
            case GREETING:
            case OPEN: serve(fd); break;
            case BELL: answer_bell(fd); break;
            case FREE: break;
            }
        }
    }
    return NULL;
}

static void begin(struct loop *loop, size_t files) {
    loop->poller = epoll_create1(0);
    loop->bell = eventfd(0, EFD_NONBLOCK);
    loop->open_fds = calloc(files, sizeof *loop->open_fds);
    loop->input = malloc(INPUT_MAX + 1), loop->output = malloc(INPUT_MAX + HEADER_MAX);
    if (loop->poller < 0 || loop->bell < 0 || !loop->open_fds || !loop->input || !loop->output) die("start");
    watch(loop, loop->bell, BELL, EPOLLIN | EPOLLET);
}

int main(int argc, char **argv) {
    struct rlimit files;
    if (argc == 5 && !strcmp(argv[1], "--threads")) loop_count = atoi(argv[2]), argv += 2, argc -= 2;
    if (argc != 3 || loop_count < 1 || loop_count > THREADS_MAX)
        return fprintf(stderr, "usage: floor [--threads 1..%d] PORT ADMIN_PORT\n", THREADS_MAX), 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    kinds = calloc(files.rlim_max, sizeof *kinds);
    place_of = calloc(files.rlim_max, sizeof *place_of);
    if (!kinds || !place_of) die("start");
    sent = eventfd(0, EFD_SEMAPHORE);
    if (sent < 0) die("eventfd");
    for (int i = 0; i < loop_count; i++) begin(&loops[i], files.rlim_max);
    own = &loops[0];
    listen_on(atoi(argv[1]), LISTENER);
    listen_on(atoi(argv[2]), ADMIN_LISTENER);
    for (int i = 1; i < loop_count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, &loops[i])) die("pthread_create");
    }
    run(&loops[0]);
}
