/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/as_agent.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

/* Where systemd has what LoadCredential= of the agent's unit names, as long as that runs. */
#define CREDENTIALS_DIR "/run/credentials/tenured.service"
#define ANSWER_FD (STDERR_FILENO + 1)
#define PATH_OF_SERVICES "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

/* ---- there ---- */

/* libpq reads much of the environment. */
static int set_environment(const struct passwd *user)
{
    if (clearenv() != 0 || setenv("PATH", PATH_OF_SERVICES, 1) < 0 ||
        setenv("HOME", user->pw_dir, 1) < 0 || setenv("USER", user->pw_name, 1) < 0)
        return -1;
    return access(CREDENTIALS_DIR, X_OK) < 0 ? 0
                                             : setenv("CREDENTIALS_DIRECTORY", CREDENTIALS_DIR, 1);
}

static int become(const char *name)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(name) : getpwuid(geteuid());

    if (!user)
        return geteuid() == 0 ? -1 : 0;
    if (geteuid() == 0 && (initgroups(user->pw_name, user->pw_gid) < 0 ||
                           setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
                           setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0))
        return -1;
    return set_environment(user);
}

/* The child inherits nothing of the caller's: no descriptor but the answer's, which comes after
 * stderr, and no terminal; and no process of that user may trace it. Returns the descriptor. */
static int part(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, ANSWER_FD), null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (moved < 0 || null < 0 || setsid() < 0)
        return -1;
    for (int i = 0; i < ANSWER_FD; i++)
        if (dup2(null, i) < 0)
            return -1;
    return dup2(moved, ANSWER_FD) < 0 || close_range(ANSWER_FD + 1, ~0U, 0) < 0 ? -1 : ANSWER_FD;
}

static _Noreturn void be_there(const char *user, void (*work)(void *userdata, void *answer),
                               void *userdata, size_t size, pid_t parent, int fd)
{
    void *answer = calloc(1, size);
    int own = part(fd);

    if (!answer || own < 0 || become(user) < 0)
        _exit(EXIT_FAILURE);
    /* After the change of user, which clears it. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    work(userdata, answer);
    (void)write_all(own, answer, size); /* less than an answer is none */
    for (;;)
        (void)pause();
}

/* ---- here ---- */

bool as_agent_has_credentials(void)
{
    return access(CREDENTIALS_DIR, F_OK) == 0;
}

int as_agent_possible(const char *user)
{
    assert(user);

    errno = 0;
    const struct passwd *p = getpwnam(user);

    if (!p)
        return -ESRCH;
    return geteuid() == 0 || geteuid() == p->pw_uid ? 0 : -EPERM;
}

int as_agent_start(const char *user, void (*work)(void *userdata, void *answer), void *userdata,
                   size_t size, struct as_agent *ret)
{
    assert(user);
    assert(work);
    assert(ret);

    int ends[2];
    pid_t parent = getpid();

    *ret = (struct as_agent)AS_AGENT_NONE;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        be_there(user, work, userdata, size, parent, ends[1]);
    int r = pid < 0 ? -errno : 0;
    (void)close(ends[1]);
    if (r < 0) {
        (void)close(ends[0]);
        return r;
    }
    *ret = (struct as_agent){.pid = pid, .fd = ends[0]};
    return 0;
}

void as_agent_end(struct as_agent *a)
{
    assert(a);

    if (a->pid > 0) {
        (void)kill(a->pid, SIGKILL);
        while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (a->fd >= 0)
        (void)close(a->fd);
    *a = (struct as_agent)AS_AGENT_NONE;
}

static int read_all(int fd, char *bytes, size_t size, usec_t until)
{
    size_t n = 0;

    while (n < size) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        usec_t now = clock_boottime();
        /* An answer that is there counts, however late it is read: the caller may have waited for
         * another one. */
        int r = poll(&p, 1, now >= until ? 0 : (int)((until - now) / USEC_PER_MSEC) + 1);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -errno : -ETIMEDOUT;
        ssize_t got = read(fd, bytes + n, size - n);
        if (got <= 0)
            return -EIO;
        n += (size_t)got;
    }
    return 0;
}

int as_agent_await(const struct as_agent *a, void *answer, size_t size, usec_t until)
{
    assert(a);
    assert(answer);
    return a->fd >= 0 ? read_all(a->fd, answer, size, until) : -EIO;
}

int as_agent_take(struct as_agent *a, void *answer, size_t size, usec_t until)
{
    int r = as_agent_await(a, answer, size, until);

    as_agent_end(a);
    return r;
}
