/* One worker of the crowd: holds its share of the connections and checks every byte it is sent. */
#define _GNU_SOURCE
#include "crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

enum { BATCH = 64, EVENTS = 1024, CARRIES = 64, CARRY_BYTES = PAYLOAD_MAX + 1024, ERRORS_MAX = 1000 };
enum { SEAT_FREE, SEAT_HANDSHAKE, SEAT_OPEN };
enum { HANDSHAKE_WAIT_S = 60 };

/* All that is known of a connection; indexed by descriptor, untouched pages cost nothing. */
struct seat {
    uint32_t seq : 30;
    uint32_t state : 2;
};

/* The beginning of a frame or of a response whose rest has not arrived. Rare, so few and searched. */
struct carry {
    int fd;
    uint32_t size;
    unsigned char bytes[CARRY_BYTES];
};

static const char request[] =
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
static const char accept_value[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; /* RFC 6455 section 1.3 */

static const struct options *opt;
static struct tally *tally;
static struct seat *seats;
static uint64_t seats_max, held, waiting, errors;
static int poll_fd;
static struct carry carries[CARRIES];
static uint32_t carries_used;
static unsigned char input[CARRY_BYTES + 65536];
static char expected[PAYLOAD_MAX];
static uint32_t expected_seq;

static void count(_Atomic uint64_t *counter) { atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); }

static void leave(int fd)
{
    if (seats[fd].state == SEAT_HANDSHAKE) {
        waiting--;
        errors++;
        count(&tally->connect_errors);
    } else {
        count(&tally->closed);
    }
    seats[fd] = (struct seat){0};
    held--;
    close(fd);
}

static void corrupt(int fd)
{
    count(&tally->corrupt);
    leave(fd);
}

/* Moves what was left over for `fd` to the front of `input`. */
static uint32_t carry_take(int fd)
{
    for (uint32_t i = 0; i < carries_used; i++)
        if (carries[i].fd == fd) {
            uint32_t size = carries[i].size;
            memcpy(input, carries[i].bytes, size);
            carries[i] = carries[--carries_used];
            return size;
        }
    return 0;
}

static int carry_put(int fd, const unsigned char *at, uint32_t size)
{
    if (carries_used == CARRIES || size > CARRY_BYTES)
        return -1;
    carries[carries_used] = (struct carry){.fd = fd, .size = size};
    memcpy(carries[carries_used++].bytes, at, size);
    return 0;
}

static void pong(int fd, const unsigned char *data, uint32_t size)
{
    unsigned char frame[6 + 125] = {0x8a, (unsigned char)(0x80 | size), 0x37, 0xfa, 0x21, 0x3d};
    for (uint32_t i = 0; i < size; i++)
        frame[6 + i] = data[i] ^ frame[2 + (i & 3)];
    count(&tally->pings);
    if (send(fd, frame, 6 + size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)(6 + size))
        corrupt(fd);
}

static void publication(int fd, const unsigned char *data, uint32_t size)
{
    char digits[11] = {0};
    uint32_t last = seats[fd].seq;
    if (size != opt->payload) {
        corrupt(fd);
        return;
    }
    memcpy(digits, data + 4, 10);
    uint32_t seq = (uint32_t)strtoul(digits, NULL, 10);
    if (seq != expected_seq) {
        payload_fill(expected, size, seq);
        expected_seq = seq;
    }
    if (memcmp(data, expected, size) != 0) {
        corrupt(fd);
        return;
    }
    if (seq <= last) {
        count(&tally->repeated);
        return;
    }
    if (seq > last + 1)
        atomic_fetch_add_explicit(&tally->lost, seq - last - 1, memory_order_relaxed);
    seats[fd].seq = seq & 0x3fffffff;
    if (atomic_load_explicit(&tally->first_seq, memory_order_relaxed) != seq) {
        atomic_store(&tally->first_ns, now_ns());
        atomic_store(&tally->first_seq, seq);
    }
    count(&tally->receipts);
}

/* Bytes used up of a whole frame at `at`; 0: incomplete or the connection is gone. */
static uint32_t frame(int fd, const unsigned char *at, uint32_t size)
{
    if (size < 2)
        return 0;
    uint32_t head = 2, length = at[1];
    if (length == 126) {
        if (size < 4)
            return 0;
        head = 4;
        length = (uint32_t)at[2] << 8 | at[3];
    }
    if (at[1] > 126 || length > PAYLOAD_MAX) { /* masked, or larger than anything we asked for */
        corrupt(fd);
        return 0;
    }
    if (size < head + length)
        return 0;
    switch (at[0]) {
    case 0x81: case 0x82: publication(fd, at + head, length); break;
    case 0x89: pong(fd, at + head, length > 125 ? 125 : length); break;
    case 0x88: leave(fd); break;
    default: corrupt(fd);
    }
    return head + length;
}

/* Bytes of a good response; 0: incomplete or the connection is gone. */
static uint32_t response(int fd, const unsigned char *at, uint32_t size)
{
    const unsigned char *end = memmem(at, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    uint32_t length = (uint32_t)(end - at) + 4;
    if (length < 12 || memcmp(at, "HTTP/1.1 101", 12) != 0 ||
        !memmem(at, length, accept_value, sizeof accept_value - 1)) {
        leave(fd);
        return 0;
    }
    seats[fd].state = SEAT_OPEN;
    waiting--;
    count(&tally->established);
    return length;
}

static void readable(int fd)
{
    for (;;) {
        uint32_t had = carries_used ? carry_take(fd) : 0;
        ssize_t got = recv(fd, input + had, sizeof input - had, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            leave(fd);
            return;
        }
        uint32_t size = had + (got > 0 ? (uint32_t)got : 0), at = 0;
        int full = size == sizeof input;
        while (at < size && seats[fd].state != SEAT_FREE) {
            uint32_t used = seats[fd].state == SEAT_HANDSHAKE ? response(fd, input + at, size - at)
                                                              : frame(fd, input + at, size - at);
            if (used == 0)
                break;
            at += used;
        }
        if (seats[fd].state == SEAT_FREE)
            return;
        if (at < size && carry_put(fd, input + at, size - at) != 0) {
            corrupt(fd);
            return;
        }
        if (!full) /* a short read means drained; the poll is edge-triggered */
            return;
    }
}

static void turn(int wait_ms)
{
    static struct epoll_event events[EVENTS];
    uint64_t before = atomic_load_explicit(&tally->receipts, memory_order_relaxed);
    int n = epoll_wait(poll_fd, events, EVENTS, wait_ms);
    for (int i = 0; i < n; i++)
        if (seats[events[i].data.fd].state != SEAT_FREE)
            readable(events[i].data.fd);
    if (atomic_load_explicit(&tally->receipts, memory_order_relaxed) != before)
        atomic_store(&tally->last_ns, now_ns());
}

/* Over loopback connect() returns after the three-way handshake; it blocks only while the
 * server's backlog is full, then the kernel tries again (tcp_syn_retries bounds it). */
static int join(uint64_t nth, uint32_t index)
{
    uint64_t source = nth / PER_SOURCE * opt->workers + index;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f010001u + (uint32_t)(source / 250 * 256 + source % 250));
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if ((uint64_t)fd >= seats_max ||
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (const struct sockaddr *)&opt->server, sizeof opt->server) != 0 ||
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1 ||
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
        close(fd);
        return -1;
    }
    seats[fd] = (struct seat){.state = SEAT_HANDSHAKE};
    held++;
    waiting++;
    return 0;
}

static void join_batch(uint64_t share, uint32_t index)
{
    static uint64_t attempts;
    uint64_t until = now_ns() + HANDSHAKE_WAIT_S * UINT64_C(1000000000);
    for (int i = 0; i < BATCH && held < share; i++)
        if (join(attempts++, index) != 0) {
            if (errors++ == 0)
                fprintf(stderr, "crowd: worker %u: connect: %s\n", index, strerror(errno));
            count(&tally->connect_errors);
            turn(100);
        }
    while (waiting > 0 && now_ns() < until)
        turn(1000);
    for (uint64_t fd = 0; waiting > 0 && fd < seats_max; fd++)
        if (seats[fd].state == SEAT_HANDSHAKE)
            leave((int)fd);
    if (errors > ERRORS_MAX)
        atomic_store(&tally->gave_up, 1);
}

void member_run(const struct options *options, struct control *ctl, uint32_t index)
{
    opt = options;
    tally = &ctl->tally[index];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    seats_max = opt->connections / opt->workers + 1024;
    struct rlimit files = {seats_max, seats_max};
    seats = calloc(seats_max, sizeof *seats);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 || !seats || poll_fd < 0) {
        perror("crowd: RLIMIT_NOFILE");
        atomic_store(&tally->gave_up, 1);
    }
    while (!atomic_load(&ctl->stop)) {
        uint64_t target = atomic_load(&ctl->target);
        uint64_t share = target / opt->workers + (index < target % opt->workers);
        uint64_t lost = atomic_load_explicit(&tally->closed, memory_order_relaxed);
        if (!atomic_load(&tally->gave_up) && held + lost < share)
            join_batch(share - lost, index); /* what the server closed is not replaced */
        else
            turn(50);
    }
    _exit(0);
}
