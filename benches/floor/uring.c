/* Would batched system calls pay? Sends 130 bytes to 5,000 sockets, once with a send() for each and once through
 * io_uring, 256 sends a submission, and prints the CPU time of the sending thread per send. A second thread reads
 * everything and polls without pause, so that nobody has to be woken. The descriptor limit must allow 10,100.
 *
 *     cc -O2 -o uring uring.c -luring -lpthread && ./uring      (Debian: liburing-dev)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS = 5000, ROUNDS = 40, REPEATS = 6, SIZE = 130, BATCH = 256, SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };
enum how { LOOP, RING, RING_FIXED };

static int senders[PAIRS], receivers[PAIRS];
static char message[SIZE];
static struct io_uring ring;
static atomic_long received;
static atomic_int done;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void *receive(void *unused) {
    struct epoll_event events[1024];
    char bytes[4096];
    int poller = epoll_create1(0);
    for (int i = 0; i < PAIRS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = receivers[i]};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, receivers[i], &event)) die("epoll_ctl");
    }
    while (!done) {
        int ready = epoll_wait(poller, events, 1024, 0);
        for (int i = 0; i < ready; i++) {
            ssize_t n = recv(events[i].data.fd, bytes, sizeof bytes, MSG_DONTWAIT);
            if (n > 0) received += n;
        }
    }
    return unused;
}

static double thread_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * 1e6 + used.tv_nsec / 1e3;
}

static void send_to_all(enum how how) {
    if (how == LOOP) {
        for (int i = 0; i < PAIRS; i++)
            if (send(senders[i], message, SIZE, SEND_FLAGS) != SIZE) die("send");
        return;
    }
    for (int i = 0; i < PAIRS; i++) {
        struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
        io_uring_prep_send(entry, how == RING_FIXED ? i : senders[i], message, SIZE, SEND_FLAGS);
        entry->flags |= IOSQE_CQE_SKIP_SUCCESS | (how == RING_FIXED ? IOSQE_FIXED_FILE : 0);
        if (i % BATCH == BATCH - 1 || i == PAIRS - 1) io_uring_submit_and_get_events(&ring);
    }
    struct io_uring_cqe *failed;
    if (!io_uring_peek_cqe(&ring, &failed)) die("io_uring send");
}

/* CPU time of one send in microseconds; waiting for the receivers is not counted. */
static double measure(enum how how) {
    static long expected;
    double used = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double before = thread_us();
        send_to_all(how);
        used += thread_us() - before;
        expected += (long)PAIRS * SIZE;
        while (received < expected) usleep(200);
    }
    return used / ROUNDS / PAIRS;
}

static void connect_pairs(void) {
    struct rlimit descriptors = {2 * PAIRS + 100, 2 * PAIRS + 100};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (setrlimit(RLIMIT_NOFILE, &descriptors)) die("setrlimit");
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 128)) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    for (int i = 0; i < PAIRS; i++) {
        receivers[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(receivers[i], (struct sockaddr *)&address, size)) die("connect");
        if ((senders[i] = accept(listener, NULL, NULL)) < 0) die("accept");
    }
}

int main(void) {
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN};
    pthread_t receiver;
    connect_pairs();
    if (io_uring_queue_init_params(2 * BATCH, &ring, &params)) die("io_uring_queue_init");
    if (io_uring_register_files(&ring, senders, PAIRS)) die("io_uring_register_files");
    pthread_create(&receiver, NULL, receive, NULL);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double loop = measure(LOOP), plain = measure(RING), fixed = measure(RING_FIXED);
        printf("send() %.2f us, io_uring %.2f (%.2f), with registered files %.2f (%.2f)\n", loop, plain, plain / loop,
               fixed, fixed / loop);
    }
    done = 1;
    pthread_join(receiver, NULL);
    return 0;
}
