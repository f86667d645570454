/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/tree.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ENTRIES_SIZE 4096
#define EVENTS_SIZE 256
#define SLICE_SUFFIX ".slice"

/* One walk. */
struct walk {
    const char *const *names;
    const char *except;
    bool kill;
    struct tree *found;
    char path[TREE_PATH_SIZE]; /* of the slice that is being looked into */
    size_t length;
    int depth;
    int error;
};

static void note(struct walk *w, int r)
{
    if (r < 0 && w->error == 0)
        w->error = r;
}

/* PID 1 puts '_' before a name that would be taken for a file of a controller: "_memory.service".
 */
static const char *without_escape(const char *name)
{
    return *name == '_' ? name + 1 : name;
}

static bool is_named(const struct walk *w, const char *name)
{
    for (const char *const *n = w->names; *n; n++)
        if (strcmp(name, *n) == 0 || strcmp(without_escape(name), *n) == 0)
            return true;
    return false;
}

static bool is_slice(const char *name)
{
    size_t length = strlen(name), suffix = strlen(SLICE_SUFFIX);

    return length > suffix && strcmp(name + length - suffix, SLICE_SUFFIX) == 0;
}

/* ---- one cgroup ---- */

/* Returns 1, 0, or negative errno. What was removed since has no process. */
static int is_populated(int dir_fd)
{
    char text[EVENTS_SIZE + 1];
    _cleanup_close_ int fd = openat(dir_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, EVENTS_SIZE);

    if (n < 0)
        return errno == ENOENT || errno == ENODEV ? 0 : -errno;
    text[n] = '\0';
    const char *populated = strstr(text, "populated ");
    return !populated ? -EBADMSG : populated[strlen("populated ")] != '0';
}

static int kill_all(int dir_fd)
{
    _cleanup_close_ int fd = openat(dir_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, "1", 1) == 1)
        return 0;
    return errno == ENOENT || errno == ENODEV ? 0 : -errno;
}

static void look_at_unit(struct walk *w, int slice_fd, const char *name)
{
    _cleanup_close_ int fd = openat(slice_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        note(w, errno == ENOENT ? 0 : -errno);
        return;
    }
    int populated = is_populated(fd);
    note(w, populated);
    if (populated == 0)
        return;
    if (w->found->alive++ == 0)
        (void)snprintf(w->found->first, sizeof w->found->first, "%.*s/%s", (int)w->length, w->path,
                       name);
    if (w->kill)
        note(w, kill_all(fd));
}

/* ---- slices ---- */

static void look_into(struct walk *w, int fd);

static void look_into_slice(struct walk *w, int parent_fd, const char *name)
{
    size_t before = w->length, left = sizeof w->path - w->length;
    _cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        note(w, errno == ENOENT ? 0 : -errno);
        return;
    }
    int n = snprintf(w->path + before, left, "/%s", name);
    if (n < 0 || (size_t)n >= left || w->depth >= TREE_DEPTH_MAX ||
        w->found->slices >= TREE_SLICES_MAX)
        note(w, -E2BIG);
    else {
        w->length += (size_t)n;
        w->depth++;
        look_into(w, fd);
        w->depth--;
    }
    w->length = before;
    w->path[before] = '\0';
}

static void look_at_entry(struct walk *w, int fd, const struct dirent64 *entry)
{
    if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
        strcmp(entry->d_name, "..") == 0)
        return;
    if (is_named(w, entry->d_name))
        look_at_unit(w, fd, entry->d_name);
    else if (is_slice(entry->d_name) && (!w->except || strcmp(entry->d_name, w->except) != 0))
        look_into_slice(w, fd, entry->d_name);
}

static void look_into(struct walk *w, int fd)
{
    _Alignas(struct dirent64) char entries[ENTRIES_SIZE];
    ssize_t n;

    w->found->slices++;
    while ((n = getdents64(fd, entries, sizeof entries)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const void *)(entries + at);

            look_at_entry(w, fd, entry);
            at += entry->d_reclen;
        }
    note(w, n < 0 && errno != ENOENT ? -errno : 0);
}

int tree_look(const char *cgroup_root, const char *const names[], const char *except, bool kill,
              struct tree *ret)
{
    assert(cgroup_root);
    assert(names);
    assert(ret);

    struct walk w = {.names = names, .except = except, .kill = kill, .found = ret};
    _cleanup_close_ int fd = open(cgroup_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *ret = (struct tree){.alive = 0};
    if (fd < 0)
        return -errno;
    look_into(&w, fd);
    return w.error;
}
