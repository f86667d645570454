/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/names.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "config/string_list.h"
#include "config/unit_name.h"

#define NAME_SIZE (UNIT_NAME_LEN_MAX + 1)

/* ---- links ---- */

/* Where a link leads. A file that is not there yet, on a disk that is mounted later, is given
 * as the link has it. Returns a new string. */
static int follow(int dir_fd, const char *dir, const char *name, char **ret)
{
    _cleanup_free_ char *path = NULL;
    char target[PATH_MAX];

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    *ret = realpath(path, NULL);
    if (*ret || errno == ENOMEM)
        return *ret ? 0 : -ENOMEM;
    ssize_t n = readlinkat(dir_fd, name, target, sizeof target - 1);
    if (n < 0)
        return -errno;
    target[n] = '\0';
    if (asprintf(ret, "%s%s%s", *target == '/' ? "" : dir, *target == '/' ? "" : "/", target) < 0) {
        *ret = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* Is it in this directory itself? */
static bool lies_in(const char *target, const char *dir)
{
    _cleanup_free_ char *real = realpath(dir, NULL);
    const char *slash = strrchr(target, '/');
    size_t length = slash ? (size_t)(slash - target) : 0;

    return (strlen(dir) == length && strncmp(target, dir, length) == 0) ||
           (real && strlen(real) == length && strncmp(target, real, length) == 0);
}

static bool leads_out(const char *target, const char *const dirs[])
{
    if (strcmp(target, "/dev/null") == 0) /* masked */
        return false;
    for (size_t i = 0; dirs[i]; i++)
        if (lies_in(target, dirs[i]))
            return false;
    return true;
}

static int add_link(struct unit_links *l, const char *dir, const char *name, const char *target)
{
    struct unit_link link = {.target = strdup(target)};
    struct unit_link *items = NULL;

    if (asprintf(&link.path, "%s/%s", dir, name) < 0)
        link.path = NULL;
    if (link.path && link.target)
        items = reallocarray(l->items, l->n + 1, sizeof *items);
    if (!items) {
        free(link.path);
        free(link.target);
        return -ENOMEM;
    }
    link.name = link.path + strlen(dir) + 1;
    l->items = items;
    items[l->n++] = link;
    return 0;
}

static int load_link(struct unit_links *l, const char *const dirs[], int dir_fd, const char *dir,
                     const struct dirent *entry)
{
    _cleanup_free_ char *target = NULL;
    const char *name = entry->d_name;
    struct stat st;

    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return 0;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode))
        return 0;
    int r = follow(dir_fd, dir, name, &target);
    if (r < 0 || !leads_out(target, dirs))
        return r == -ENOENT ? 0 : r;
    return add_link(l, dir, name, target);
}

static int load_directory(struct unit_links *l, const char *const dirs[], const char *dir)
{
    DIR *d = opendir(dir);
    int first = 0;

    if (!d)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    for (;;) {
        errno = 0; /* an error must not pass for the end: names behind it would be free */
        const struct dirent *entry = readdir(d);
        int r = entry ? load_link(l, dirs, dirfd(d), dir, entry) : -errno;

        if (r < 0 && first == 0)
            first = r;
        if (!entry)
            break;
    }
    (void)closedir(d);
    return first;
}

int unit_links_load(const char *const dirs[], struct unit_links *ret)
{
    assert(dirs);
    assert(ret);

    int first = 0;

    *ret = (struct unit_links){.n = 0};
    for (size_t i = 0; dirs[i]; i++) {
        int r = load_directory(ret, dirs, dirs[i]);

        if (r < 0 && first == 0)
            first = r;
    }
    return first;
}

void unit_links_clear(struct unit_links *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i].path);
        free(l->items[i].target);
    }
    free(l->items);
    *l = (struct unit_links){.n = 0};
}

/* ---- names ---- */

/* "w@1.service" -> "w@.service"; a name without an instance as it is. */
static void template_of(const char *unit, char ret[static NAME_SIZE])
{
    const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');

    if (at && dot && at < dot)
        (void)snprintf(ret, NAME_SIZE, "%.*s%s", (int)(at - unit) + 1, unit, dot);
    else
        (void)snprintf(ret, NAME_SIZE, "%s", unit);
}

/* What the unit would be called by a link of this name; false: the link names something else. */
static bool name_by_link(const char *link, const char *unit, bool by_template,
                         char ret[static NAME_SIZE])
{
    const char *at = strchr(link, '@'), *dot = strrchr(link, '.');
    const char *unit_at = strchr(unit, '@'), *unit_dot = strrchr(unit, '.');
    int n;

    if (!dot || !unit_dot || strcmp(dot, unit_dot) != 0)
        return false;
    if (by_template && at && at + 1 == dot && unit_at)
        n = snprintf(ret, NAME_SIZE, "%.*s%s", (int)(dot - link), link, unit_at + 1);
    else if (by_template)
        return false;
    else
        n = snprintf(ret, NAME_SIZE, "%s", link);
    return n > 0 && n < NAME_SIZE && strcmp(ret, unit) != 0 && !unit_name_problem(ret);
}

static int add_name(char ***names, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*names)[i], name) == 0)
            return 0;
    return strings_add(names, n, name);
}

/* Names of what one link of the unit leads to. */
static int add_names(const struct unit_links *l, const struct unit_link *own, const char *unit,
                     char ***names, size_t *n)
{
    bool by_template = strcmp(own->name, unit) != 0;
    char name[NAME_SIZE];

    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->items[i].target, own->target) != 0 ||
            !name_by_link(l->items[i].name, unit, by_template, name))
            continue;
        int r = add_name(names, n, name);

        if (r < 0)
            return r;
    }
    return 0;
}

int unit_links_names(const struct unit_links *l, const char *unit, char ***ret, size_t *ret_n)
{
    assert(l);
    assert(unit);
    assert(ret);
    assert(ret_n);

    char template[NAME_SIZE];
    char **names = NULL;
    size_t n = 0;
    int r = 0;

    template_of(unit, template);
    for (size_t i = 0; i < l->n && r == 0; i++)
        if (strcmp(l->items[i].name, unit) == 0 || strcmp(l->items[i].name, template) == 0)
            r = add_names(l, &l->items[i], unit, &names, &n);
    if (r < 0) {
        strings_free(names, n);
        return r;
    }
    *ret = names;
    *ret_n = n;
    return 0;
}

const char *unit_links_path(const struct unit_links *l, const char *unit)
{
    assert(l);
    assert(unit);

    const char *of_template = NULL;
    char template[NAME_SIZE];

    template_of(unit, template);
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->items[i].name, unit) == 0)
            return l->items[i].path;
        if (!of_template && strcmp(l->items[i].name, template) == 0)
            of_template = l->items[i].path;
    }
    return of_template;
}
