/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/cgroup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "base/parse.h"

#define CGROUP_STAT_MAX 4096
#define DESCENDANTS_KEY "nr_descendants "
#define POPULATED_KEY "populated "

/* Within the slice's directory. What is missing there was removed with it a moment ago (or the
 * kernel is older than 5.14, and no group can be kept): not the same as no such slice. */
static int open_in(int dir_fd, const char *name, int flags)
{
    int fd = openat(dir_fd, name, flags | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? -ENODEV : -errno;
    return fd;
}

int slice_open(const char *cgroup_root, const char *group, struct slice *ret)
{
    assert(cgroup_root);
    assert(ret);

    char cgroup[UNIT_NAME_LEN_MAX + 32], path[PATH_MAX];
    _cleanup_close_ int dir_fd = -1, kill_fd = -1, stat_fd = -1, events_fd = -1;
    int r = group_slice_cgroup(group, cgroup, sizeof cgroup);

    if (r < 0)
        return r;
    r = snprintf(path, sizeof path, "%s/%s", cgroup_root, cgroup);
    if (r < 0 || (size_t)r >= sizeof path)
        return -ENAMETOOLONG;

    dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return -errno;
    kill_fd = open_in(dir_fd, "cgroup.kill", O_WRONLY);
    if (kill_fd < 0)
        return kill_fd;
    stat_fd = open_in(dir_fd, "cgroup.stat", O_RDONLY);
    if (stat_fd < 0)
        return stat_fd;
    events_fd = open_in(dir_fd, "cgroup.events", O_RDONLY);
    if (events_fd < 0)
        return events_fd;

    *ret = (struct slice){.kill_fd = take_fd(&kill_fd),
                          .stat_fd = take_fd(&stat_fd),
                          .events_fd = take_fd(&events_fd)};
    return 0;
}

void slice_close(struct slice *s)
{
    /* close() frees the descriptor whatever it returns, and there is nothing to flush. */
    if (s->kill_fd >= 0)
        (void)close(s->kill_fd);
    if (s->stat_fd >= 0)
        (void)close(s->stat_fd);
    if (s->events_fd >= 0)
        (void)close(s->events_fd);
    *s = SLICE_CLOSED;
}

/* The number that has a line of its own, behind the key. */
static int read_number(int fd, const char *key, uint64_t *ret)
{
    char text[CGROUP_STAT_MAX + 1];
    ssize_t n = pread(fd, text, CGROUP_STAT_MAX, 0);

    if (n < 0)
        return -errno;
    text[n] = '\0';

    char *value = text;
    while (strncmp(value, key, strlen(key)) != 0) {
        value = strchr(value, '\n');
        if (!value)
            return -EBADMSG;
        value++;
    }
    value += strlen(key);
    char *end = strchr(value, '\n');
    if (!end)
        return -EBADMSG;
    *end = '\0';
    return parse_u64(value, ret) < 0 ? -EBADMSG : 0;
}

int slice_children(const struct slice *s, uint64_t *ret)
{
    assert(s);
    assert(ret);

    /* Not nr_dying_descendants: those are removed cgroups, without processes by definition. */
    return read_number(s->stat_fd, DESCENDANTS_KEY, ret);
}

int slice_populated(const struct slice *s, bool *ret)
{
    assert(s);
    assert(ret);

    uint64_t populated = 0;
    int r = read_number(s->events_fd, POPULATED_KEY, &populated);

    if (r < 0)
        return r;
    if (populated > 1)
        return -EBADMSG;
    *ret = populated == 1;
    return 0;
}

int slice_kill(const struct slice *s)
{
    assert(s);

    return pwrite(s->kill_fd, "1", 1, 0) < 0 ? -errno : 0;
}
