/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/cleanup.h"

#define STATE_NAME "state"
#define STATE_NEW_NAME "state.new"
#define ENV_NEW_NAME KEEPER_ENV_FILE ".new"

/* Opens without following links, without waiting for a FIFO's writer, and reads a ticket from a
 * regular file that belongs to one of these users. */
static int read_ticket_at(int dir_fd, const char *name, uid_t uid, uid_t other_uid,
                          struct ticket *ret)
{
    char text[TICKET_SIZE_MAX + 1];
    struct stat st;
    _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADMSG;
    if (st.st_uid != uid && st.st_uid != other_uid)
        return -EPERM;

    ssize_t n = read(fd, text, sizeof text);
    if (n < 0)
        return -errno;
    return ticket_parse(text, (size_t)n, ret); /* refuses what fills the extra byte */
}

int ticket_consume(const char *tickets_dir, const char *instance, uid_t uid, struct ticket *ret)
{
    assert(tickets_dir);
    assert(instance);
    assert(ret);

    char taken[NAME_MAX + 1];
    struct ticket t;
    _cleanup_close_ int dir_fd = open(tickets_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return -errno;
    /* No instance begins with a dot, so no keeper takes this for its ticket. */
    int r = snprintf(taken, sizeof taken, ".%s", instance);
    if (r < 0 || (size_t)r >= sizeof taken)
        return -ENAMETOOLONG;

    /* Rename before reading: between an open() and an unlink() by name the agent may have put
     * another ticket there, and we would start on one and destroy the other. */
    if (renameat(dir_fd, instance, dir_fd, taken) < 0)
        return -errno;
    int read_result = read_ticket_at(dir_fd, taken, uid, geteuid(), &t);
    /* The right to run: exactly one process gets a 0 here for a ticket. */
    if (unlinkat(dir_fd, taken, 0) < 0)
        return -errno;
    if (read_result < 0)
        return read_result;
    *ret = t;
    return 0;
}

/* Creates a file of this mode with this text; returns its descriptor or a negative errno. What is
 * left of an earlier attempt goes first, so that the file is our own and new. */
static int create_at(int dir_fd, const char *name, const char *text, size_t length, mode_t mode)
{
    if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
        return -errno;

    _cleanup_close_ int fd =
        openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, length);
    if (n < 0)
        return -errno;
    if ((size_t)n != length)
        return -ENOSPC;
    if (fchmod(fd, mode) < 0) /* not subject to the umask */
        return -errno;
    return take_fd(&fd);
}

int env_write(int dir_fd, const struct ticket *t)
{
    assert(t);

    char text[TICKET_SIZE_MAX];
    /* No quoting: names of groups and nodes have no character that means anything to systemd. */
    int n =
        snprintf(text, sizeof text, "TENURE_GROUP=%s\nTENURE_TERM=%" PRIu64 "\nTENURE_NODE=%s\n",
                 t->group, t->term, t->node);

    if (n < 0 || (size_t)n >= sizeof text)
        return -ENOBUFS;

    _cleanup_close_ int fd = create_at(dir_fd, ENV_NEW_NAME, text, (size_t)n, 0644);
    if (fd < 0)
        return fd;
    return renameat(dir_fd, ENV_NEW_NAME, dir_fd, KEEPER_ENV_FILE) < 0 ? -errno : 0;
}

int state_create(int dir_fd, const struct ticket *t, uid_t uid, gid_t gid, struct state_file *ret)
{
    assert(t);
    assert(ret);

    char text[TICKET_SIZE_MAX], tail[TICKET_TAIL_MAX];
    int n = ticket_format(t, text, sizeof text);

    if (n < 0)
        return n;
    int n_tail = ticket_format_tail(t, tail, sizeof tail);
    if (n_tail < 0)
        return n_tail;
    if (mkdirat(dir_fd, KEEPER_LIVE_DIR, 0755) < 0 && errno != EEXIST)
        return -errno;

    _cleanup_close_ int fd = -1;
    _cleanup_close_ int live_fd =
        openat(dir_fd, KEEPER_LIVE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (live_fd < 0)
        return -errno;
    /* PID 1 removes the directory after each term, but not where the unit was masked meanwhile.
     * What is left is the agent's user's: ours again first, as only its owner may set a mode. */
    if (fchown(live_fd, geteuid(), getegid()) < 0)
        return -errno;
    if (unlinkat(live_fd, STATE_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    fd = create_at(live_fd, STATE_NEW_NAME, text, (size_t)n, 0644);
    if (fd < 0)
        return fd;
    /* Removing the state later needs the directory; the file itself stays root's, so that the
     * fence need not believe what the agent's user may have put in its place. */
    if (fchmod(live_fd, 0755) < 0 || fchown(live_fd, uid, gid) < 0)
        return -errno;

    *ret = (struct state_file){
        .live_fd = take_fd(&live_fd),
        .fd = take_fd(&fd),
        .tail_offset = (off_t)(n - n_tail),
    };
    return 0;
}

int state_publish(const struct state_file *s)
{
    return renameat(s->live_fd, STATE_NEW_NAME, s->live_fd, STATE_NAME) < 0 ? -errno : 0;
}

int state_update(const struct state_file *s, const struct ticket *t)
{
    char tail[TICKET_TAIL_MAX];
    int length = ticket_format_tail(t, tail, sizeof tail);

    if (length < 0)
        return length;
    ssize_t n = pwrite(s->fd, tail, (size_t)length, s->tail_offset);
    if (n < 0)
        return -errno;
    return n == length ? 0 : -EIO;
}

int state_remove(const struct state_file *s)
{
    return unlinkat(s->live_fd, STATE_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int open_folder(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int open_keeper_folder(const char *groups_dir, const char *group)
{
    char path[PATH_MAX];
    int r = snprintf(path, sizeof path, "%s/%s", groups_dir, group);

    return r < 0 || (size_t)r >= sizeof path ? -ENAMETOOLONG : open_folder(AT_FDCWD, path);
}

static int read_state_at(int live_fd, const char *name, const char *group, struct ticket *ret)
{
    struct ticket t = {0};
    int r = read_ticket_at(live_fd, name, geteuid(), geteuid(), &t);

    if (r < 0)
        return r;
    if (strcmp(t.group, group) != 0 || !budget_holds(t.lease, t.stop, t.duration))
        return -EBADMSG;
    *ret = t;
    return 0;
}

int state_read(const char *groups_dir, const char *group, struct ticket *ret)
{
    assert(group);
    assert(ret);

    _cleanup_close_ int dir_fd = open_keeper_folder(groups_dir, group);
    if (dir_fd < 0)
        return dir_fd;
    _cleanup_close_ int live_fd = open_folder(dir_fd, KEEPER_LIVE_DIR);
    return live_fd < 0 ? live_fd : read_state_at(live_fd, STATE_NAME, group, ret);
}

/* Is there one whose deadline has not passed? The keeper takes no other. It belongs to whom the
 * directory does, or to us. */
static bool ticket_waits(const char *tickets_dir, const char *instance, usec_t now)
{
    struct ticket t = {.deadline = 0};
    struct stat st;
    _cleanup_close_ int dir_fd = open_folder(AT_FDCWD, tickets_dir);

    if (dir_fd < 0 || fstat(dir_fd, &st) < 0)
        return dir_fd != -ENOENT;
    int r = read_ticket_at(dir_fd, instance, st.st_uid, geteuid(), &t);
    if (r < 0)
        return r != -ENOENT && r != -EPERM && r != -EBADMSG && r != -ELOOP;
    return now < t.deadline;
}

bool term_begins(const char *tickets_dir, const char *groups_dir, const char *instance,
                 const char *group, usec_t now)
{
    assert(tickets_dir);
    assert(groups_dir);
    assert(instance);
    assert(group);

    struct ticket t;
    struct stat st;

    /* In the order in which a keeper goes on: what it has left behind by one question is found by
     * the next. */
    if (ticket_waits(tickets_dir, instance, now))
        return true;
    _cleanup_close_ int dir_fd = open_keeper_folder(groups_dir, group);
    if (dir_fd < 0)
        return dir_fd != -ENOENT;
    _cleanup_close_ int live_fd = open_folder(dir_fd, KEEPER_LIVE_DIR);
    if (live_fd < 0 || fstat(live_fd, &st) < 0)
        return true; /* PID 1 has made the directory for it */
    int r = read_state_at(live_fd, STATE_NEW_NAME, group, &t);
    if (r != -ENOENT && r != -EPERM)
        return r < 0 || now < t.deadline;
    /* Given away when the state is written. */
    return st.st_uid == geteuid() && fstatat(live_fd, STATE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0;
}

bool state_was_there(const char *groups_dir, const char *group)
{
    assert(group);

    char path[PATH_MAX];
    struct stat st;
    int r = snprintf(path, sizeof path, "%s/%s/" KEEPER_LIVE_DIR, groups_dir, group);

    if (r < 0 || (size_t)r >= sizeof path)
        return true;
    _cleanup_close_ int live_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (live_fd < 0)
        return errno != ENOENT;
    /* What is published has this name no more. */
    return fstatat(live_fd, STATE_NEW_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0;
}

enum stops stops_read(const char *stops_dir, const char *group, uint64_t term)
{
    assert(stops_dir);
    assert(group);

    char path[PATH_MAX], text[STOPS_HEAD_MAX];
    uint64_t of_term;
    enum stops stops;
    int r = snprintf(path, sizeof path, "%s/" STOPS_FILE_PREFIX "%s", stops_dir, group);

    if (r < 0 || (size_t)r >= sizeof path)
        return STOPS_UNKNOWN;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return STOPS_UNKNOWN;
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0 || stops_head_parse(text, (size_t)n, &of_term, &stops) < 0)
        return STOPS_UNKNOWN;
    return term == 0 || of_term == term ? stops : STOPS_UNKNOWN;
}
