/* Sets the calendar of a process ahead by as many seconds as the file CALENDAR_AHEAD has in it at that moment. Loaded with
 * LD_PRELOAD into a program, or into the emulator of one for another machine, whatever that is linked with. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long ahead_s(void)
{
    const char *name = getenv("CALENDAR_AHEAD");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    char text[32] = "";

    if (file >= 0) {
        if (read(file, text, sizeof text - 1) < 0)
            text[0] = 0;
        close(file);
    }
    return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    long status = syscall(SYS_clock_gettime, clock, now);

    if (status == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += ahead_s();
    return (int)status;
}
