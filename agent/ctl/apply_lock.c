/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/apply_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LOCK_TRIES 40 /* restoring takes a moment, and begins by itself: it is waited for */
#define LOCK_AGAIN_USEC 50000

/* Root's alone: a process that may open a file can lock it. What restores guards may not write
 * there, and need not when it exists. */
static int open_lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT)
        fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

/* One apply at a time on this host. The lock ends with the descriptor. */
static int try_lock(const struct ctl *ctl)
{
    _cleanup_close_ int fd = open_lock(ctl->lock_file);

    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    return take_fd(&fd);
}

int apply_lock(const struct ctl *ctl)
{
    int lock = -EWOULDBLOCK;

    for (int i = 0; lock == -EWOULDBLOCK && i < LOCK_TRIES; i++) {
        if (i > 0)
            (void)usleep(LOCK_AGAIN_USEC);
        lock = try_lock(ctl);
    }
    if (lock == -EWOULDBLOCK)
        (void)ctl_fail(ctl, "another apply is at work: try again when it is done");
    else if (lock < 0)
        (void)ctl_fail(ctl,
                       "cannot lock %s: %s: run systemd-tmpfiles --create, then tenurectl apply",
                       ctl->lock_file, strerror(-lock));
    return lock;
}

int apply_lock_status(int lock)
{
    return lock >= 0 ? CTL_OK : lock == -EWOULDBLOCK ? CTL_BUSY : CTL_FAILED;
}
