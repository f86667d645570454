/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/command.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "keeper/declared.h"

#define PIECE_SIZE 4096
#define PIECES_AT_ONCE 16
#define END_LOOKS 50
#define END_PAUSE_NSEC 1000000L
#define EXIT_NOT_RUN 127

static void close_output(struct command *c)
{
    if (c->output_fd >= 0)
        (void)close(take_fd(&c->output_fd));
}

/* In the child, between fork() and exec: nothing here waits, and nothing returns. */
static void run(const char *const arguments[], const char *const names[], size_t n_names,
                int output_fd)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", "SYSTEMD_COLORS=0",
                                              "SYSTEMD_PAGER=", NULL};
    const char *argv[COMMAND_ARGUMENTS_MAX + DECLARED_UNITS_MAX + 1] = {0};
    size_t n = 0;
    sigset_t none;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (output_fd >= 0 && dup2(output_fd, STDOUT_FILENO) < 0)
        _exit(EXIT_NOT_RUN);
    for (size_t i = 0; arguments[i] && i < COMMAND_ARGUMENTS_MAX; i++)
        argv[n++] = arguments[i];
    for (size_t i = 0; i < n_names && i < DECLARED_UNITS_MAX; i++)
        argv[n++] = names[i];
    /* As old as C itself: exec takes pointers to what it does not change. */
    (void)execve(arguments[0], (char *const *)argv, (char *const *)environment);
    _exit(EXIT_NOT_RUN);
}

int command_start(struct command *c, const char *const arguments[], const char *const names[],
                  size_t n_names, bool output)
{
    assert(c && c->pid == 0);
    assert(arguments && arguments[0]);
    assert(names || n_names == 0);

    _cleanup_close_ int read_fd = -1, write_fd = -1;
    int ends[2];

    if (output) {
        if (pipe2(ends, O_CLOEXEC) < 0)
            return -errno;
        read_fd = ends[0];
        write_fd = ends[1];
        if (fcntl(read_fd, F_SETFL, O_NONBLOCK) < 0)
            return -errno;
    }
    /* Not vfork() nor posix_spawn(): those wait until a program was read from a disk that may hang.
     */
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        run(arguments, names, n_names, write_fd);
    *c = (struct command){.pid = pid, .output_fd = take_fd(&read_fd)};
    return 0;
}

static void read_output(struct command *c, line_taker take, void *userdata)
{
    char piece[PIECE_SIZE];

    for (int i = 0; i < PIECES_AT_ONCE && c->output_fd >= 0; i++) {
        ssize_t n = read(c->output_fd, piece, sizeof piece);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            close_output(c);
        else
            lines_feed(&c->lines, piece, (size_t)n, take, userdata);
    }
}

int command_look(struct command *c, line_taker take, void *userdata, int *ret_status)
{
    assert(c);
    assert(ret_status);

    int status;

    if (c->pid == 0)
        return 0;
    read_output(c, take, userdata);
    if (c->output_fd >= 0 || waitpid(c->pid, &status, WNOHANG) != c->pid)
        return 0;
    *c = COMMAND_NONE;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return 1;
}

void command_end(struct command *c)
{
    assert(c);

    const struct timespec pause = {.tv_nsec = END_PAUSE_NSEC};

    close_output(c);
    if (c->pid == 0)
        return;
    (void)kill(c->pid, SIGKILL);
    for (int i = 0; i < END_LOOKS && waitpid(c->pid, NULL, WNOHANG) == 0; i++)
        (void)nanosleep(&pause, NULL);
    c->pid = 0;
}
