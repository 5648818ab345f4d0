/* Many WebSocket clients that count: publications are the numbers 0, 1, 2 .. in eight digits, and each client has to
 * get every one of them once, in order. With it goes the longest time in which a client got nothing.
 *
 * A part of them is churn: each of these leaves when it has got a few publications, and another one comes. It has to
 * get consecutive numbers for as long as it is there.
 *
 *     crowd PORT CLIENTS CHURN        says "open" when all stand; on a line from standard input it starts over with the
 *                                     count of silence, and at its end it prints one line of JSON
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 1024, INPUT_MAX = 1 << 16, HEAD_MAX = 512, FRAME = 10, STAYS = 40, ABREAST = 64 };
enum state { ABSENT, GREETING, OPEN };

static const char REQUEST[] = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

struct client {
    int fd;
    enum state state;
    int is_churn;
    unsigned held;            /* bytes of a head, or of a frame, of which the rest is to come */
    unsigned char bytes[HEAD_MAX];
    int64_t next;             /* the number that is to come; -1: any */
    unsigned got;
    double heard;             /* when it last got something */
};

static struct client *clients;
static unsigned total, churn;
static int poll_fd;
static struct sockaddr_in server;
static uint64_t lost, doubled, reconnects, failed, came, received;
static double longest, since;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

/* Each comes from an address of its own: among 15,000 connections from one the kernel looks for a free port for some
 * 30 ms, in which nobody here would hear anything. */
static void come(struct client *client) {
    unsigned n = client - clients, one = 1;
    struct sockaddr_in own = {.sin_family = AF_INET};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 * (1 + n / 250) + n % 250);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0 ||
        bind(client->fd, (struct sockaddr *)&own, sizeof own) != 0 ||
        connect(client->fd, (struct sockaddr *)&server, sizeof server) != 0 ||
        send(client->fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) < 0) {
        perror("connect");
        exit(1);
    }
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    client->state = GREETING;
    client->held = client->got = 0;
    client->next = -1;
    client->heard = now();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, client->fd, &event);
}

static void leave(struct client *client) {
    close(client->fd);
    client->state = ABSENT;
}

/* The peer has gone, or said what it should not have: that is what must not be. */
static void dropped(struct client *client) {
    if (client->state == OPEN && !client->is_churn) reconnects++;
    else failed++;
    leave(client);
    come(client);
}

/* A publication, whole: two bytes of a header, eight digits. */
static void take(struct client *client, const unsigned char *frame, double at) {
    char digits[9] = {0};
    memcpy(digits, frame + 2, 8);
    int64_t number = atoll(digits);
    if (client->next >= 0 && number > client->next) lost += number - client->next;
    if (client->next >= 0 && number < client->next) doubled++;
    else client->next = number + 1;
    double silence = at - (client->heard > since ? client->heard : since);
    if (client->got && silence > longest) longest = silence;
    client->heard = at;
    client->got++;
    received++;
}

/* A frame that has come as far as this. Its length; 0: it is not whole; -1: it is none that should come. */
static int frame(struct client *client, const unsigned char *bytes, size_t len, double at) {
    static const unsigned char PONG[] = {0x8a, 0x80, 0, 0, 0, 0};
    if (len < 2) return 0;
    if (bytes[0] == 0x89 && bytes[1] == 0) {
        send(client->fd, PONG, sizeof PONG, MSG_NOSIGNAL);
        return 2;
    }
    if (bytes[0] != 0x81 || bytes[1] != 8) return -1;
    if (len < FRAME) return 0;
    take(client, bytes, at);
    return FRAME;
}

/* What has come, at any border. 0: the client was dropped, or has left. */
static int hear(struct client *client, const unsigned char *input, size_t len, double at) {
    while (len) {
        int used = client->state == OPEN && client->held == 0 ? frame(client, input, len, at) : 0;
        if (used < 0) return dropped(client), 0;
        if (used > 0) {
            input += used, len -= used;
            continue;
        }
        client->bytes[client->held++] = *input++, len--;
        if (client->state == OPEN) {
            used = frame(client, client->bytes, client->held, at);
            if (used < 0) return dropped(client), 0;
            if (used > 0) client->held = 0;
        } else if (client->held >= 4 && !memcmp(client->bytes + client->held - 4, "\r\n\r\n", 4)) {
            if (memcmp(client->bytes, "HTTP/1.1 101 ", 13)) return dropped(client), 0;
            client->state = OPEN;
            client->held = 0;
            client->heard = at;
            came++;
        } else if (client->held == HEAD_MAX) {
            return dropped(client), 0;
        }
    }
    /* Not all of them at once. */
    if (client->is_churn && client->got >= STAYS / 2 + (client - clients) % STAYS) {
        leave(client);
        come(client);
        return 0;
    }
    return 1;
}

static void receive(struct client *client) {
    static unsigned char input[INPUT_MAX];
    ssize_t len = recv(client->fd, input, sizeof input, 0);
    if (len > 0) hear(client, input, len, now());
    else if (len == 0 || errno != EAGAIN) dropped(client);
}

static void turn(int timeout) {
    static struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(poll_fd, events, EVENTS_MAX, timeout);
    for (int n = 0; n < count; n++)
        if (events[n].data.ptr) receive(events[n].data.ptr);
}

/* Silence that is not over yet counts, too. */
static void count_silence(void) {
    double at = now();
    for (unsigned n = 0; n < total + churn; n++) {
        double silence = at - (clients[n].heard > since ? clients[n].heard : since);
        if (clients[n].state == OPEN && clients[n].got && silence > longest) longest = silence;
    }
}

static void report(void) {
    count_silence();
    uint64_t last = 0, behind = 0;
    for (unsigned n = 0; n < total; n++)
        if (clients[n].next > (int64_t)last) last = clients[n].next;
    for (unsigned n = 0; n < total; n++) behind += last - clients[n].next;
    printf("{\"reconnects\":%lu,\"failed\":%lu,\"lost\":%lu,\"doubled\":%lu,\"behind\":%lu,\"came\":%lu,"
           "\"received\":%lu,\"silence_ms\":%.1f,\"last\":%lu}\n",
           reconnects, failed, lost, doubled, behind, came, received, longest, last);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    total = atoi(argv[2]), churn = atoi(argv[3]);
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc(total + churn, sizeof *clients);
    for (unsigned n = 0; n < total + churn; n++) {
        clients[n].is_churn = n >= total;
        come(&clients[n]);
        while (n + 1 - came > ABREAST) turn(-1);
    }
    while (came < total + churn) turn(-1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, 0, &event);
    printf("open\n");
    fflush(stdout);
    for (;;) {
        turn(100);
        char line[64];
        struct timespec none = {0};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(0, &set);
        if (pselect(1, &set, NULL, NULL, &none, NULL) != 1) continue;
        ssize_t len = read(0, line, sizeof line);
        count_silence();
        if (len <= 0) break;
        report();
        since = now();
        longest = 0;
    }
    return 0;
}
