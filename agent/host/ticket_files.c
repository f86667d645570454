/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ticket_files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/names.h"

#define PATH_SIZE 512

static int ticket_path(const char *tickets_dir, const char *group, char ret[static PATH_SIZE])
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, PATH_SIZE, "%s/%s", tickets_dir, group);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

static int write_all(int fd, const char *text, size_t length)
{
    ssize_t n = write(fd, text, length);

    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EIO;
}

int ticket_publish(const char *tickets_dir, const struct ticket *t)
{
    assert(tickets_dir);
    assert(t);

    char text[TICKET_SIZE_MAX], path[PATH_SIZE], self[64];
    int length = ticket_format(t, text, sizeof text);
    int r;

    if (length < 0)
        return length;
    if ((r = ticket_path(tickets_dir, t->group, path)) < 0)
        return r;
    /* It has no name until it is complete: a keeper never sees half of it, and an agent that dies
     * here leaves nothing behind. */
    _cleanup_close_ int fd = open(tickets_dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if ((r = write_all(fd, text, (size_t)length)) < 0)
        return r;
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    return 0;
}

int ticket_withdraw(const char *tickets_dir, const char *group)
{
    assert(tickets_dir);
    assert(group);

    char path[PATH_SIZE];
    int r = ticket_path(tickets_dir, group, path);

    if (r < 0)
        return r;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* 0, or why the directory cannot be in what it is to be in. */
static int try_parent(const char *dir)
{
    const char *slash = strrchr(dir, '/');
    char parent[PATH_SIZE];

    (void)snprintf(parent, sizeof parent, "%.*s/", (int)(slash ? slash - dir : 0), dir);
    return access(parent, F_OK) < 0 ? -errno : 0;
}

/* What to do where no file can be made in the directory. */
static const char *remedy_of(const char *tickets_dir, int error)
{
    struct stat st;

    switch (error) {
    case ENOENT:
        if (try_parent(tickets_dir) == -ENOENT)
            return "all of " TENURE_RUN_DIR
                   " is missing, without which no term goes on here: run systemctl stop tenured "
                   "first, which makes this host step down; then systemd-tmpfiles --create "
                   "tenure.conf, tenurectl apply and systemctl start tenured";
        return "it is missing: run systemd-tmpfiles --create tenure.conf, then systemctl restart "
               "tenured";
    case ENOTDIR:
        if (try_parent(tickets_dir) == -ENOTDIR)
            return "a file is in the place of " TENURE_RUN_DIR
                   ", without which no term goes on here: run systemctl stop tenured first, which "
                   "makes this host step down; then remove that file, run systemd-tmpfiles "
                   "--create tenure.conf, tenurectl apply and systemctl start tenured";
        return "a file is in its place: remove that, run systemd-tmpfiles --create tenure.conf, "
               "then systemctl restart tenured";
    case EMFILE:
        return "the agent has as many files open as it may, which it never needs: run systemctl "
               "restart tenured, and report it";
    case ENFILE:
        return "this host has as many files open as it may: see sysctl fs.file-nr, and what has "
               "them open";
    case ENOMEM:
        return "this host is out of memory: see free, and what uses it";
    case EROFS: /* also where the agent was started before the directory was made */
        return "the file system is read-only, or the directory was made again while the agent "
               "runs: "
               "mount -o remount,rw /run if need be, then systemctl restart tenured";
    case ENOSPC:
    case EDQUOT:
        return "the file system is full: make room there, see df -h /run and df -i /run";
    case EACCES:
    case EPERM:
        if (stat(tickets_dir, &st) == 0 && st.st_uid != geteuid())
            return "it belongs to another user: run systemd-tmpfiles --create tenure.conf, which "
                   "gives it back to user " TENURE_USER;
        return "its mode does not let the agent: run systemd-tmpfiles --create tenure.conf";
    default:
        return "see journalctl -k for errors of the file system";
    }
}

static int try_write(const char *tickets_dir)
{
    static const char text[TICKET_SIZE_MAX] = "";
    _cleanup_close_ int fd = open(tickets_dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    return fd < 0 ? -errno : write_all(fd, text, sizeof text);
}

int tickets_try(const char *tickets_dir, char text[static HOST_TEXT_MAX])
{
    assert(tickets_dir);
    assert(text);

    int r = try_write(tickets_dir);

    text[0] = '\0';
    if (r < 0)
        (void)snprintf(text, HOST_TEXT_MAX, "no ticket can be written to %s: %s: %s", tickets_dir,
                       strerror(-r), remedy_of(tickets_dir, -r));
    return r;
}

int tickets_clear(const char *tickets_dir)
{
    assert(tickets_dir);

    DIR *dir = opendir(tickets_dir);
    int r = 0;

    if (!dir)
        return -errno;
    for (;;) {
        errno = 0; /* an error must not pass for the end: tickets behind it would be left */
        const struct dirent *entry = readdir(dir);

        if (!entry) {
            r = errno ? -errno : r;
            break;
        }
        if (entry->d_type != DT_DIR && unlinkat(dirfd(dir), entry->d_name, 0) < 0 &&
            errno != ENOENT)
            r = -errno;
    }
    (void)closedir(dir);
    return r;
}
