/* The crowd: N WebSocket clients in a few processes that share one page of counters.
 *
 * crowd.c   the parent: options, ramp, publications, snapshots of /proc, the result file
 * member.c  one worker: connects its share and checks every byte that arrives
 * admin.c   HTTP to the server's admin listener: publish, stats
 *
 * A connection costs a worker four bytes (`struct seat`); everything else about it is in the kernel. */
#ifndef CROWD_H
#define CROWD_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum {
    WORKERS_MAX = 16,
    PAYLOAD_MIN = 32,
    PAYLOAD_MAX = 4096,
    /* connect() tries the even ports of ip_local_port_range first (32,256 of them): while a source
     * address holds fewer, the search for a free port stays short. */
    PER_SOURCE = 28000,
};

/* What a worker has seen; it alone writes, the parent reads. One cache line or two each. */
struct tally {
    _Atomic uint64_t established;   /* 101 with the right Sec-WebSocket-Accept */
    _Atomic uint64_t connect_errors;/* connect() failed, or the handshake was refused or timed out */
    _Atomic uint64_t closed;        /* established connections that the server ended */
    _Atomic uint64_t receipts;      /* publications received whole, each seq once per connection */
    _Atomic uint64_t lost;          /* sequence numbers skipped */
    _Atomic uint64_t repeated;      /* sequence numbers at or below the last one: duplicate or disorder */
    _Atomic uint64_t corrupt;       /* anything that is not a publication, ping or close */
    _Atomic uint64_t pings;
    _Atomic uint64_t first_ns;      /* first and last receipt of the current sequence number */
    _Atomic uint64_t last_ns;
    _Atomic uint64_t first_seq;     /* the sequence number first_ns belongs to */
    _Atomic uint32_t gave_up;
    char pad[36];
};

struct control {
    _Atomic uint64_t target;        /* connections that all workers together shall hold now */
    _Atomic uint32_t stop;
    _Atomic uint64_t free_kb;      /* MemFree, now and its least since it was last set */
    _Atomic uint64_t free_min_kb;
    struct tally tally[WORKERS_MAX];
};

struct options {
    struct sockaddr_in server, admin;
    uint64_t connections;
    uint32_t workers, payload, publications;
    uint64_t reserve_kb;            /* MemFree that must stay, besides what a broadcast needs */
    uint64_t step;
    uint32_t stall_s;               /* no progress for this long ends a phase */
    uint32_t settle_s;              /* before the idle snapshot: the server's handshake time-outs pass */
    int server_pid;
    int until_full;                 /* --until-full: memory decides how many, not an error */
    const char *out;
};

void member_run(const struct options *opt, struct control *ctl, uint32_t index);

/* The publication number `seq`, exactly `opt->payload` bytes. */
void payload_fill(char *at, uint32_t size, uint32_t seq);

/* Status of the answer, or -1; the body, cut to `size`, in `body`. */
int admin_request(const struct options *opt, const char *method, const char *path,
                  const char *data, uint32_t data_size, char *body, uint32_t size);

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif
