/* SPDX-License-Identifier: Apache-2.0 */
/* The pulse of the machine: an ordinary process on each processor that wakes up every 2 ms, and
 * prints pauses that were longer than MS. What delayed it delayed everything else on that
 * processor, so the figures of a lab that ran meanwhile cannot be trusted.
 *
 *     pulse MS
 *
 * Prints "ready" once all of them run, then "FROM TO PROCESSOR" for each pause, by CLOCK_MONOTONIC
 * in nanoseconds. Ends with the process that started it. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define BEAT_NSEC 2000000L

static int64_t now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(3);
}

/* One line is one write(), so that lines of several processes never mix. */
static void say(int64_t from, int64_t to, int processor)
{
    char line[80];
    int n =
        snprintf(line, sizeof line, "%lld %lld %d\n", (long long)from, (long long)to, processor);

    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(3);
}

static void __attribute__((noreturn)) beat(int processor, int64_t longest)
{
    int64_t last = now();

    for (;;) {
        const struct timespec t = {.tv_nsec = BEAT_NSEC};

        (void)nanosleep(&t, NULL);
        int64_t at = now();
        if (at - last > longest)
            say(last, at, processor);
        last = at;
    }
}

static int pin(int processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char *argv[])
{
    int64_t longest = argc == 2 ? strtoll(argv[1], NULL, 10) * 1000000 : 0;
    pid_t parent = getppid(), self = getpid();
    cpu_set_t allowed;

    if (longest <= 0 || sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return 2;
    die_with(parent);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET((size_t)i, &allowed))
            continue;
        pid_t child = fork();
        if (child < 0)
            return 3;
        if (child == 0) {
            die_with(self);
            if (pin(i) < 0)
                _exit(3);
            beat(i, longest);
        }
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    for (;;)
        (void)pause();
}
