/* SPDX-License-Identifier: Apache-2.0 */
/* LD_PRELOAD: gives one process a wall clock of its own. WALLCLOCK_FILE has two int64_t: the offset
 * of the wall clock from the machine's, and that of CLOCK_MONOTONIC_RAW, in nanoseconds. To a
 * program that compares, the second one looks as if time daemons had slewed the other clocks the
 * other way. The file may change at any time. All other clocks and timers are left alone
 * (libfaketime, in contrast, shifts every absolute timerfd, whatever its clock). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { WALL, RAW, OFFSETS };

static const volatile int64_t *offset;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("WALLCLOCK_FILE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    void *p = mmap(NULL, OFFSETS * sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
        offset = p;
    (void)close(fd);
}

static void shift(struct timespec *t, int which)
{
    if (!offset)
        return;

    int64_t nsec = (int64_t)t->tv_sec * 1000000000 + t->tv_nsec + offset[which];

    t->tv_sec = nsec / 1000000000;
    t->tv_nsec = nsec % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (syscall(SYS_clock_gettime, clock, ret) < 0)
        return -1;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        shift(ret, WALL);
    else if (clock == CLOCK_MONOTONIC_RAW)
        shift(ret, RAW);
    return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec t;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &t) < 0)
        return -1;
    ret->tv_sec = t.tv_sec;
    ret->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec t;

    if (clock_gettime(CLOCK_REALTIME, &t) < 0)
        return -1;
    if (ret)
        *ret = t.tv_sec;
    return t.tv_sec;
}
