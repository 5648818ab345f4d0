/*
 * Lets User-Mode Linux start on processors whose registers are more than its kernel knows (AMX).
 *
 * It gives the registers of a guest's process back as it has read them, which is the beginning alone where there are
 * more, and the host's kernel takes them whole or not at all. With this library in front of libc the rest is added, as
 * the process has it; what is in use the beginning says. gcc -shared -fPIC -o fpstate.so fpstate.c, and LD_PRELOAD.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* As libc's, whose three requests that peek return what they have found. */
long ptrace(enum __ptrace_request request, ...)
{
    static char whole[1 << 16];
    struct iovec all = {whole, sizeof whole};
    va_list rest;
    va_start(rest, request);
    pid_t pid = va_arg(rest, pid_t);
    void *address = va_arg(rest, void *);
    struct iovec *part = va_arg(rest, void *);
    va_end(rest);
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        long word;
        if (syscall(SYS_ptrace, request, pid, address, &word) == -1)
            return -1;
        errno = 0;
        return word;
    }
    long done = syscall(SYS_ptrace, request, pid, address, part);
    int is_too_short = done == -1 && errno == EFAULT && request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE;
    if (!is_too_short)
        return done;
    if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, address, &all) == -1 || part->iov_len > all.iov_len) {
        errno = EFAULT;
        return -1;
    }
    memcpy(whole, part->iov_base, part->iov_len);
    return syscall(SYS_ptrace, request, pid, address, &all);
}
