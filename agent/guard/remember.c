/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/remember.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/guard.h"
#include "base/names.h"
#include "config/file.h"
#include "config/string_list.h"
#include "guard/each.h"
#include "guard/file.h"

#define KEEPER_PREFIX "tenure@"
#define DROP_INS_MAX 200000
#define DROP_IN_SIZE_MAX (1024 * 1024)

struct memory {
    const char *dir;
    int dir_fd;     /* -1: only look */
    char **keepers; /* sorted */
    size_t n;
    int changed;
};

static bool is_same(const struct memory *m, const char *keeper, const char *text)
{
    _cleanup_free_ char *old = NULL;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s.d/" GUARD_FILE, m->dir, keeper);

    return n > 0 && (size_t)n < sizeof path && file_read(path, DROP_IN_SIZE_MAX, &old) == 0 &&
           strcmp(old, text) == 0;
}

static int take(void *userdata, const char *unit, const char *text)
{
    struct memory *m = userdata;

    if (strncmp(unit, KEEPER_PREFIX, strlen(KEEPER_PREFIX)) != 0)
        return 0;
    int r = strings_insert(&m->keepers, &m->n, unit);
    if (r < 0 || is_same(m, unit, text))
        return r < 0 ? r : 0;
    m->changed = 1;
    return m->dir_fd < 0 ? 0 : guard_file_write(m->dir_fd, unit, GUARD_FILE, text);
}

static int forget(const struct memory *m, const char *name)
{
    _cleanup_close_ int fd =
        openat(m->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    (void)unlinkat(fd, GUARD_FILE_STAGED, 0);
    if ((unlinkat(fd, GUARD_FILE, 0) < 0 && errno != ENOENT) ||
        unlinkat(m->dir_fd, name, AT_REMOVEDIR) < 0)
        return -errno;
    return 0;
}

/* Those that no group has any more. */
static int forget_others(struct memory *m)
{
    char **names;
    size_t n;
    int first = file_names(m->dir, ".d", DROP_INS_MAX, &names, &n);

    if (first < 0)
        return first == -ENOENT ? 0 : first;
    for (size_t i = 0; i < n; i++) {
        char keeper[NAME_MAX + 1];

        (void)snprintf(keeper, sizeof keeper, "%.*s", (int)(strlen(names[i]) - strlen(".d")),
                       names[i]);
        if (strings_contain(m->keepers, m->n, keeper))
            continue;
        m->changed = 1;
        int r = m->dir_fd < 0 ? 0 : forget(m, names[i]);
        if (first == 0)
            first = r;
    }
    file_names_free(names, n);
    return first;
}

static int go_through(struct memory *m, const struct tenure_config *c,
                      const char *const unit_dirs[])
{
    int r = guard_each(c, unit_dirs, take, m);

    /* What is missing here may be wanted: nothing is forgotten then. */
    if (r == 0)
        r = forget_others(m);
    strings_free(m->keepers, m->n);
    return r;
}

int guard_remember(const struct tenure_config *c, const char *dir, const char *const unit_dirs[])
{
    assert(c);
    assert(dir);
    assert(unit_dirs);

    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return -errno;
    _cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return -errno;
    struct memory m = {.dir = dir, .dir_fd = dir_fd};
    int r = go_through(&m, c, unit_dirs);
    return r < 0 ? r : m.changed;
}

bool guard_remembers(const struct tenure_config *c, const char *dir, const char *const unit_dirs[])
{
    assert(c);
    assert(dir);
    assert(unit_dirs);

    struct memory m = {.dir = dir, .dir_fd = -1};

    return go_through(&m, c, unit_dirs) == 0 && !m.changed;
}

bool guard_remembers_group(const char *dir, const char *group)
{
    assert(dir);

    _cleanup_free_ char *text = NULL;
    char keeper[UNIT_NAME_LEN_MAX + 1], slice[UNIT_NAME_LEN_MAX + 1];
    char path[PATH_MAX], line[UNIT_NAME_LEN_MAX + 32];

    if (group_keeper_unit(group, keeper, sizeof keeper) < 0 ||
        group_slice_unit(group, slice, sizeof slice) < 0)
        return false;
    int n = snprintf(path, sizeof path, "%s/%s.d/" GUARD_FILE, dir, keeper);
    if (n < 0 || (size_t)n >= sizeof path || file_read(path, DROP_IN_SIZE_MAX, &text) < 0)
        return false;
    (void)snprintf(line, sizeof line, "\nRequires=%s\n", slice);
    return strstr(text, line);
}
