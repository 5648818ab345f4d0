/* A server with no features, to prove the rig without the real one: it answers the handshake with
 * constants, keeps four bytes per connection, and sends in a bare loop. It understands wspushd's
 * flags. STANDIN_FAULT=lose|repeat|corrupt|close makes it misbehave towards one client, so that
 * the rig's checks can be checked (see `selftest`); split and ping are unusual, but right.
 * STANDIN_BYTES=n touches n bytes more per connection: what the report then says is known. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, BODY_MAX = 65535 };

static const char switching[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"; /* for the RFC's sample key */

static unsigned *open_fds; /* in order of accept; a million of them are 4 MB */
static unsigned open_count, open_max = 1000000, pongs;
static int poll_fd, public_fd, admin_fd;
static const char *fault;
static char *ballast;
static size_t ballast_bytes;

static int listener(const char *text)
{
    char host[64];
    struct sockaddr_in at = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(host, sizeof host, "%s", text);
    char *colon = strchr(host, ':');
    if (!colon)
        return -1;
    *colon = 0;
    at.sin_port = htons((unsigned short)atoi(colon + 1));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(fd, 65535) != 0)
        return -1;
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ? fd : -1;
}

static unsigned send_whole(int fd, const unsigned char *frame, size_t size)
{
    return send(fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

static unsigned send_badly(int fd, unsigned char *frame, size_t size)
{
    static const unsigned char ping[] = {0x89, 3, 'h', 'e', 'y'};
    if (strcmp(fault, "lose") == 0)
        return 1;
    if (strcmp(fault, "repeat") == 0)
        send_whole(fd, frame, size);
    if (strcmp(fault, "close") == 0)
        shutdown(fd, SHUT_RDWR);
    if (strcmp(fault, "ping") == 0)
        send_whole(fd, ping, sizeof ping);
    if (strcmp(fault, "split") == 0) {
        send_whole(fd, frame, 1);
        usleep(200000); /* the crowd has read the piece by then */
        return send_whole(fd, frame + 1, size - 1);
    }
    unsigned char wrong = strcmp(fault, "corrupt") == 0;
    frame[size - 1] ^= wrong;
    unsigned sent = send_whole(fd, frame, size);
    frame[size - 1] ^= wrong;
    return sent;
}

static unsigned broadcast(const char *data, size_t size)
{
    static unsigned char frame[4 + BODY_MAX];
    size_t head = size < 126 ? 2 : 4;
    unsigned sent = 0;
    frame[0] = 0x81;
    frame[1] = (unsigned char)(size < 126 ? size : 126);
    if (head == 4) {
        frame[2] = (unsigned char)(size >> 8);
        frame[3] = (unsigned char)size;
    }
    memcpy(frame + head, data, size);
    for (unsigned i = 0; i < open_count; i++) {
        int fd = (int)open_fds[i];
        if (fault && i == open_count / 2)
            sent += send_badly(fd, frame, head + size);
        else
            sent += send_whole(fd, frame, head + size);
    }
    return sent;
}

static void admin(void)
{
    static char text[8192 + BODY_MAX];
    char answer[256], body[128];
    size_t have = 0, need = 0;
    int fd = accept4(admin_fd, NULL, NULL, SOCK_CLOEXEC);
    char *data = NULL, *length;
    while (fd >= 0 && (!data || have < need) && have < sizeof text - 1) {
        ssize_t got = recv(fd, text + have, sizeof text - 1 - have, 0);
        if (got <= 0)
            break;
        have += (size_t)got;
        text[have] = 0;
        if (!data && (data = strstr(text, "\r\n\r\n"))) {
            data += 4;
            length = strcasestr(text, "\r\ncontent-length:");
            need = (size_t)(data - text) + (length && length < data ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    if (data && have >= need && have - (size_t)(data - text) <= BODY_MAX) {
        int n = strncmp(text, "POST /push ", 11) == 0
            ? snprintf(body, sizeof body, "{\"recipients\":%u}", broadcast(data, have - (size_t)(data - text)))
            : snprintf(body, sizeof body, "{\"connections\":%u,\"pongs\":%u}", open_count, pongs);
        n = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %d\r\nConnection: close\r\n\r\n%s", n, body);
        send(fd, answer, (size_t)n, MSG_NOSIGNAL);
    }
    close(fd);
}

static void accept_all(void)
{
    for (int fd; open_count < open_max && (fd = accept4(public_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
            close(fd);
    }
}

/* A request's first bytes are a whole request here; it knows one client. */
static void client(int fd)
{
    static char in[65536];
    ssize_t got = recv(fd, in, sizeof in, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        for (unsigned i = 0; i < open_count; i++) /* rare: the crowd never leaves */
            if (open_fds[i] == (unsigned)fd)
                open_fds[i] = open_fds[--open_count];
        close(fd);
    } else if (got > 0 && (unsigned char)in[0] == 0x8a) {
        for (char *at = in; at + 9 <= in + got; at += 9) /* several, if we were busy sending */
            pongs += (at[6] ^ at[2]) == 'h' && (at[7] ^ at[3]) == 'e' && (at[8] ^ at[4]) == 'y';
    } else if (got > 4 && memcmp(in, "GET ", 4) == 0) {
        if (send(fd, switching, sizeof switching - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 && open_count < open_max) {
            memset(ballast + open_count * ballast_bytes, 1, ballast_bytes);
            open_fds[open_count++] = (unsigned)fd;
        }
    }
}

int main(int argc, char **argv)
{
    const char *listen_at = "127.0.0.1:8080", *admin_at = "127.0.0.1:8081";
    struct rlimit files;
    static struct epoll_event events[EVENTS];
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--listen") == 0)
            listen_at = argv[i + 1];
        else if (strcmp(argv[i], "--admin") == 0)
            admin_at = argv[i + 1];
        else if (strcmp(argv[i], "--max-connections") == 0)
            open_max = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    fault = getenv("STANDIN_FAULT");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    ballast_bytes = strtoul(getenv("STANDIN_BYTES") ? getenv("STANDIN_BYTES") : "0", NULL, 10);
    ballast = calloc(open_max, ballast_bytes + 1);
    open_fds = calloc(open_max, sizeof *open_fds);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    public_fd = listener(listen_at);
    admin_fd = listener(admin_at);
    if (!ballast || !open_fds || public_fd < 0 || admin_fd < 0) {
        perror("standin");
        return 2;
    }
    for (;;) {
        int n = epoll_wait(poll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == public_fd)
                accept_all();
            else if (events[i].data.fd == admin_fd)
                admin();
            else
                client(events[i].data.fd);
    }
}
