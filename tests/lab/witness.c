/* SPDX-License-Identifier: Apache-2.0 */
/* The witness: a service that records every 2 ms that it is alive. Records of all hosts have times
 * of the one CLOCK_MONOTONIC that they share. Nothing here depends on the product.
 *
 *     witness FILE [--ignore-term] [--children N] [--slow-start MS] [--slow-stop MS] [--escape]
 * [--bomb]
 *
 * --ignore-term   goes on after SIGTERM, until SIGKILL
 * --children N    forks N more that beat as well
 * --slow-start    is READY (Type=notify) only after MS; beats from the beginning
 * --slow-stop     beats on for MS after SIGTERM
 * --escape        the children start sessions of their own, as daemons do
 * --bomb          one more child forks without end, and so do its children: limit it (LimitNPROC=)
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BEAT_NSEC 2000000L

enum kind { KIND_START = 1, KIND_BEAT = 2, KIND_TERM_SIGNAL = 3, KIND_END = 4 };

/* 64 bytes, one write() each in append mode, so that records of several processes never mix. */
struct record {
    char host[24];
    int64_t now;     /* CLOCK_MONOTONIC, ns */
    int64_t started; /* with pid: which process this is, also after a reboot */
    uint64_t term;   /* TENURE_TERM, 0 without one */
    uint32_t pid;
    uint32_t kind;
    uint64_t zero;
};
_Static_assert(sizeof(struct record) == 64, "lab/witness.py reads 64 bytes");

static volatile sig_atomic_t term_signal;

static void on_term(int signal)
{
    (void)signal;
    term_signal = 1;
}

static int64_t now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void beat(int fd, struct record *r, enum kind kind)
{
    r->now = now();
    r->kind = (uint32_t)kind;
    if (write(fd, r, sizeof *r) != (ssize_t)sizeof *r)
        _exit(3); /* a witness that cannot write must not look alive to systemd either */
}

static void ready(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n == 0 || n >= sizeof a.sun_path)
        return;
    memcpy(a.sun_path, path, n);
    if (a.sun_path[0] == '@')
        a.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&a,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    (void)close(fd);
}

static void fork_without_end(void)
{
    const struct timespec pause = {.tv_nsec = 20000000L};

    (void)signal(SIGTERM, SIG_IGN);
    for (;;) {
        (void)fork(); /* fails at the limit, and is tried again */
        (void)nanosleep(&pause, NULL);
    }
}

static long number(int argc, char *argv[], int i)
{
    return i + 1 < argc ? strtol(argv[i + 1], NULL, 10) : 0;
}

int main(int argc, char *argv[])
{
    bool ignore_term = false, escape = false, bomb = false, child = false, stopping = false;
    long children = 0, slow_start = 0, slow_stop = 0;
    struct record r = {0};
    int64_t end = 0;
    int fd;

    if (argc < 2)
        return 2;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--ignore-term") == 0)
            ignore_term = true;
        else if (strcmp(argv[i], "--escape") == 0)
            escape = true;
        else if (strcmp(argv[i], "--bomb") == 0)
            bomb = true;
        else if (strcmp(argv[i], "--children") == 0)
            children = number(argc, argv, i++);
        else if (strcmp(argv[i], "--slow-start") == 0)
            slow_start = number(argc, argv, i++);
        else if (strcmp(argv[i], "--slow-stop") == 0)
            slow_stop = number(argc, argv, i++);
        else
            return 2;
    }

    struct sigaction act = {.sa_handler = on_term};
    (void)sigaction(SIGTERM, &act, NULL);
    (void)gethostname(r.host, sizeof r.host - 1);
    r.term = getenv("TENURE_TERM") ? strtoull(getenv("TENURE_TERM"), NULL, 10) : 0;
    fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    if (bomb && fork() == 0)
        fork_without_end();
    for (long i = 0; i < children && !child; i++)
        child = fork() == 0;
    if (child && escape)
        (void)setsid();

    r.pid = (uint32_t)getpid();
    r.started = now();
    beat(fd, &r, KIND_START);
    if (slow_start == 0 && !child)
        ready();
    for (;;) {
        struct timespec t = {.tv_nsec = BEAT_NSEC};

        (void)nanosleep(&t, NULL);
        if (slow_start > 0 && !child && now() - r.started >= slow_start * 1000000) {
            slow_start = 0;
            ready();
        }
        if (term_signal && !stopping) {
            stopping = true;
            beat(fd, &r, KIND_TERM_SIGNAL);
            end = now() + slow_stop * 1000000;
        }
        if (stopping && !ignore_term && now() >= end) {
            beat(fd, &r, KIND_END);
            return 0;
        }
        beat(fd, &r, KIND_BEAT);
    }
}
