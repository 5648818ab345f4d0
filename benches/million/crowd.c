/* The parent of the crowd: ramps up, publishes, takes snapshots of /proc, writes what was counted. */
#define _GNU_SOURCE
#include "crowd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Kernel memory kept free per connection for a publication on its way. One takes 1,536 bytes (a
 * fclone sk_buff of 512 and its data) until it is read and acknowledged, but with one core the
 * crowd reads about as fast as the server writes: far fewer than all are on their way at once. */
enum { IN_FLIGHT_BYTES = 512, PROGRESS_S = 5 };

static struct options opt = {
    .workers = 4, .payload = 64, .publications = 3, .step = 50000, .stall_s = 120, .settle_s = 8,
    .reserve_kb = 256 * 1024, .out = ".",
};
static struct control *ctl;
static pid_t children[WORKERS_MAX + 1];
static FILE *result;

#define SUM(field) sum(offsetof(struct tally, field))
static uint64_t sum(size_t offset)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < opt.workers; i++)
        total += atomic_load((_Atomic uint64_t *)((char *)&ctl->tally[i] + offset));
    return total;
}

static double seconds(uint64_t ns) { return (double)ns / 1e9; }

static void die(const char *why)
{
    fprintf(stderr, "crowd: %s\n", why);
    exit(2);
}

/* Not MemAvailable: that counts half of the sockets' inodes and dentries as reclaimable. */
static uint64_t free_kb(void)
{
    char text[512] = {0};
    int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        die("no /proc/meminfo");
    close(fd);
    const char *at = strstr(text, "MemFree:");
    return at ? strtoull(at + 8, NULL, 10) : 0;
}

/* Reads memory while the parent is busy, so that the low point of a broadcast isn't missed. */
static void gauge_run(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!atomic_load(&ctl->stop)) {
        uint64_t kb = free_kb();
        atomic_store(&ctl->free_kb, kb);
        if (kb < atomic_load(&ctl->free_min_kb))
            atomic_store(&ctl->free_min_kb, kb);
        usleep(100000);
    }
    _exit(0);
}

static void copy(const char *from, const char *phase, const char *name)
{
    static char bytes[1 << 16];
    char path[512];
    ssize_t n;
    snprintf(path, sizeof path, "%s/%s.%s", opt.out, phase, name);
    int in = open(from, O_RDONLY | O_CLOEXEC), to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    while (in >= 0 && to >= 0 && (n = read(in, bytes, sizeof bytes)) > 0)
        if (write(to, bytes, (size_t)n) != n)
            die("cannot write a snapshot");
    close(in);
    close(to);
}

static void snapshot(const char *phase)
{
    char path[64], stats[1 << 14];
    FILE *file;
    copy("/proc/slabinfo", phase, "slabinfo");
    copy("/proc/meminfo", phase, "meminfo");
    copy("/proc/net/sockstat", phase, "sockstat");
    snprintf(path, sizeof path, "/proc/%d/status", opt.server_pid);
    copy(path, phase, "status");
    snprintf(path, sizeof path, "/proc/%d/stat", opt.server_pid);
    copy(path, phase, "stat");
    if (admin_request(&opt, "GET", "/stats", NULL, 0, stats, sizeof stats) != 200)
        return;
    snprintf(path, sizeof path, "%s/%s.stats", opt.out, phase);
    if ((file = fopen(path, "w"))) {
        fputs(stats, file);
        fclose(file);
    }
}

/* Ended, reaped or not. */
static int server_gone(void)
{
    char path[64], text[512] = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", opt.server_pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    const char *name_end = strrchr(text, ')');
    return n <= 0 || !name_end || name_end[2] == 'Z' || name_end[2] == 'X';
}

static int given_up(void)
{
    for (uint32_t i = 0; i < opt.workers; i++)
        if (atomic_load(&ctl->tally[i].gave_up))
            return 1;
    return server_gone();
}

/* Waits until `offset`'s sum reaches `goal`; false when it stands still or the server has gone. */
static int reach(size_t offset, uint64_t goal, const char *what)
{
    uint64_t have, last = 0, moved = now_ns(), told = now_ns();
    while ((have = sum(offset)) < goal) {
        uint64_t now = now_ns();
        if (have != last) {
            last = have;
            moved = now;
        }
        if (seconds(now - told) >= PROGRESS_S) {
            told = now;
            printf("  %s %lu of %lu, %lu MiB free\n", what, have, goal, atomic_load(&ctl->free_kb) >> 10);
        }
        if (seconds(now - moved) > opt.stall_s || given_up()) {
            printf("  %s: stopped at %lu of %lu\n", what, have, goal);
            return 0;
        }
        usleep(20000);
    }
    return 1;
}

/* Enough memory for one more step of connections and a publication to all of them? */
static int room(uint64_t have, uint64_t step, uint64_t empty_kb)
{
    uint64_t kb = atomic_load(&ctl->free_kb), per = have ? (empty_kb - kb) * 1024 / have : 12 * 1024;
    uint64_t needed_kb = (step * per + (have + step) * IN_FLIGHT_BYTES) / 1024 + opt.reserve_kb;
    return kb > needed_kb;
}

static int ramp(uint64_t empty_kb)
{
    uint64_t start = now_ns(), target = 0;
    int full = 0, steady = 1;
    while (steady && target < opt.connections) {
        uint64_t step = opt.connections - target < opt.step ? opt.connections - target : opt.step;
        if (!room(target, step, empty_kb)) {
            full = 1;
            break;
        }
        target += step;
        atomic_store(&ctl->target, target);
        steady = reach(offsetof(struct tally, established), target, "connected");
    }
    double took = seconds(now_ns() - start);
    uint64_t have = SUM(established);
    printf("  connected %lu in %.1f s, %.0f/s, %lu MiB free%s\n", have, took, (double)have / took,
           free_kb() >> 10, full ? "; memory is full" : "");
    fprintf(result, "setup_seconds %.3f\nmemory_full %d\n", took, full);
    return steady && (!full || opt.until_full);
}

static int broadcast(uint32_t seq)
{
    char data[PAYLOAD_MAX], answer[4096];
    uint64_t open = SUM(established) - SUM(closed), before = SUM(receipts), first = UINT64_MAX, last = 0;
    payload_fill(data, opt.payload, seq);
    atomic_store(&ctl->free_min_kb, atomic_load(&ctl->free_kb));
    uint64_t start = now_ns();
    int status = admin_request(&opt, "POST", "/push", data, opt.payload, answer, sizeof answer);
    uint64_t answered = now_ns();
    int whole = status == 200 && reach(offsetof(struct tally, receipts), before + open, "received");
    for (uint32_t i = 0; i < opt.workers; i++) {
        struct tally *t = &ctl->tally[i];
        if (atomic_load(&t->first_seq) == seq && atomic_load(&t->first_ns) < first)
            first = atomic_load(&t->first_ns);
        if (atomic_load(&t->last_ns) > last)
            last = atomic_load(&t->last_ns);
    }
    double to_first = first == UINT64_MAX ? -1 : seconds(first - start);
    double to_last = last > start ? seconds(last - start) : -1;
    uint64_t got = SUM(receipts) - before;
    answer[strcspn(answer, "\r\n")] = 0;
    printf("  publication %u: HTTP %d, %lu of %lu received, last after %.2f s\n", seq, status, got, open, to_last);
    fprintf(result, "broadcast seq=%u status=%d receipts=%lu expected=%lu first_s=%.6f last_s=%.6f answered_s=%.6f "
            "free_min_kb=%lu\nanswer %u %s\n", seq, status, got, open, to_first, to_last,
            seconds(answered - start), atomic_load(&ctl->free_min_kb), seq, answer);
    return whole;
}

static void address(const char *text, struct sockaddr_in *to)
{
    char host[64];
    snprintf(host, sizeof host, "%s", text);
    char *colon = strchr(host, ':');
    *to = (struct sockaddr_in){.sin_family = AF_INET};
    if (!colon)
        die("ADDRESS:PORT expected");
    *colon = 0;
    to->sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &to->sin_addr) != 1)
        die("bad address");
}

static void options(int argc, char **argv)
{
    static const struct option names[] = {
        {"server", 1, 0, 's'}, {"admin", 1, 0, 'a'}, {"connections", 1, 0, 'n'}, {"workers", 1, 0, 'w'},
        {"payload", 1, 0, 'b'}, {"publications", 1, 0, 'p'}, {"step", 1, 0, 't'}, {"stall", 1, 0, 'i'},
        {"settle", 1, 0, 'e'}, {"reserve-mib", 1, 0, 'r'}, {"server-pid", 1, 0, 'd'}, {"out", 1, 0, 'o'},
        {"until-full", 0, 0, 'f'}, {0}};
    int c;
    address("127.0.0.1:80", &opt.server);
    address("127.0.0.1:81", &opt.admin);
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
        switch (c) {
        case 's': address(optarg, &opt.server); break;
        case 'a': address(optarg, &opt.admin); break;
        case 'n': opt.connections = strtoull(optarg, NULL, 10); break;
        case 'w': opt.workers = (uint32_t)atoi(optarg); break;
        case 'b': opt.payload = (uint32_t)atoi(optarg); break;
        case 'p': opt.publications = (uint32_t)atoi(optarg); break;
        case 't': opt.step = strtoull(optarg, NULL, 10); break;
        case 'i': opt.stall_s = (uint32_t)atoi(optarg); break;
        case 'e': opt.settle_s = (uint32_t)atoi(optarg); break;
        case 'r': opt.reserve_kb = strtoull(optarg, NULL, 10) * 1024; break;
        case 'd': opt.server_pid = atoi(optarg); break;
        case 'o': opt.out = optarg; break;
        case 'f': opt.until_full = 1; break;
        default: die("unknown option");
        }
    if (!opt.connections || !opt.workers || opt.workers > WORKERS_MAX || !opt.step || opt.server_pid <= 0 ||
        opt.payload < PAYLOAD_MIN || opt.payload > PAYLOAD_MAX)
        die("--connections, --server-pid, 1..16 --workers and 32..4096 --payload are needed");
}

static void start(void)
{
    ctl = mmap(NULL, sizeof *ctl, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ctl == MAP_FAILED)
        die("no memory for the counters");
    atomic_store(&ctl->free_kb, free_kb());
    fflush(NULL);
    for (uint32_t i = 0; i <= opt.workers; i++) {
        children[i] = fork();
        if (children[i] < 0)
            die("fork");
        if (children[i] == 0 && i < opt.workers)
            member_run(&opt, ctl, i);
        if (children[i] == 0)
            gauge_run();
    }
}

int main(int argc, char **argv)
{
    char path[512], body[4096];
    setvbuf(stdout, NULL, _IOLBF, 0);
    options(argc, argv);
    snprintf(path, sizeof path, "%s/result", opt.out);
    result = fopen(path, "w");
    if (!result)
        die("cannot write the result");
    int up = 0, status = -1;
    for (int i = 0; i < 100 && !up && !server_gone(); i++, usleep(100000))
        up = (status = admin_request(&opt, "GET", "/stats", NULL, 0, body, sizeof body)) == 200;
    if (!up) {
        fprintf(stderr, "crowd: GET /stats: HTTP %d %s\n", status, body);
        die("the server does not answer GET /stats");
    }
    start();
    usleep(500000);
    snapshot("empty");
    int good = ramp(free_kb());
    fprintf(result, "target %lu\nestablished %lu\n", opt.connections, SUM(established));
    fflush(result);
    sleep(opt.settle_s);
    snapshot("idle");
    for (uint32_t seq = 1; good && seq <= opt.publications; seq++) {
        good = broadcast(seq);
        fflush(result);
    }
    sleep(1); /* a duplicate that trails behind is still counted */
    snapshot("after");
    fprintf(result, "connect_errors %lu\nclosed %lu\nreceipts %lu\nlost %lu\nrepeated %lu\ncorrupt %lu\npings %lu\n",
            SUM(connect_errors), SUM(closed), SUM(receipts), SUM(lost), SUM(repeated), SUM(corrupt), SUM(pings));
    fprintf(result, "done %d\n", good);
    fclose(result);
    for (uint32_t i = 0; i <= opt.workers; i++) /* no orderly close of a million sockets: the guest goes off */
        kill(children[i], SIGKILL);
    return good ? 0 : 1;
}
