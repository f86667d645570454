/* SPDX-License-Identifier: Apache-2.0 */
#include "generator/generate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "config/file.h"
#include "config/load.h"
#include "config/trigger.h"
#include "config/unit_name.h"
#include "generator/earlier.h"
#include "generator/live.h"
#include "guard/copy.h"
#include "guard/each.h"
#include "guard/file.h"
#include "guard/text.h"

/* Where a comment that begins here ends; s itself if none does. */
static const char *after_comment(const char *s)
{
    const char *end = NULL;

    if (s[0] == '#' || (s[0] == '/' && s[1] == '/'))
        end = strchr(s, '\n');
    else if (s[0] == '/' && s[1] == '*')
        end = strstr(s, "*/");
    else
        return s;
    return end ? end + 1 : s + strlen(s);
}

/* Where the next quoted string begins, NULL if there is none. */
static const char *next_quote(const char *s, bool comments)
{
    while (*s && *s != '"') {
        const char *end = comments ? after_comment(s) : s;

        s = end == s ? s + 1 : end;
    }
    return *s ? s : NULL;
}

/* The next quoted string of a text in libconfig's syntax, with its escapes undone; false at the
 * end. A string too long or broken off is handed out as "". comments: what is in them does not
 * count; in a text that got damaged it does. */
static bool next_string(const char **p, bool comments, char *ret, size_t size)
{
    const char *s = next_quote(*p, comments);
    size_t n = 0;

    if (!s)
        return false;
    for (s++; *s && *s != '"' && *s != '\n'; s++) {
        if (*s == '\\' && (s[1] == '\\' || s[1] == '"'))
            s++;
        if (n < size)
            ret[n++] = *s;
    }
    ret[*s == '"' && n < size ? n : 0] = '\0';
    *p = *s ? s + 1 : s;
    return true;
}

/* All units that are found by name, each with a guard that refuses to start it. */
struct lock {
    int dir_fd;
    const char *copy_dir;
    const struct tenure_config *config; /* what has guards; NULL: nothing */
    size_t n;                           /* found */
    int first;                          /* the first error */
};

static void lock_failed(struct lock *l, int r)
{
    if (r < 0 && l->first == 0)
        l->first = r;
}

static int lock_unit(const struct lock *l, const char *unit)
{
    _cleanup_free_ char *text = NULL;
    char group[GROUP_NAME_MAX + 1];

    if (guard_copy_find(l->copy_dir, unit, group) == 0)
        return 0; /* so that a leader goes on leading */
    int r = guard_lock_text(unit, &text);
    return r < 0 ? r : guard_file_write(l->dir_fd, unit, GUARD_LOCK_FILE, text);
}

static void lock_units(struct lock *l, const char *path, bool comments)
{
    _cleanup_free_ char *text = NULL;
    char name[UNIT_NAME_LEN_MAX + 2];
    int r = file_read(path, CONFIG_SNAPSHOT_SIZE_MAX, &text);

    if (r < 0) {
        lock_failed(l, r == -ENOENT ? 0 : r);
        return;
    }
    for (const char *p = text; next_string(&p, comments, name, sizeof name);) {
        if (unit_name_problem(name) || (l->config && config_has_unit(l->config, name)))
            continue;
        l->n++;
        lock_failed(l, lock_unit(l, name));
    }
}

static void lock_declared(struct lock *l, const struct generate_paths *paths)
{
    char **names;
    size_t n;

    lock_units(l, paths->main_file, true);
    int r = file_names(paths->groups_dir, ".conf", CONFIG_FILES_MAX, &names, &n);
    if (r < 0) {
        lock_failed(l, r == -ENOENT ? 0 : r);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", paths->groups_dir, names[i]) < 0) {
            path = NULL;
            lock_failed(l, -ENOMEM);
        } else
            lock_units(l, path, true);
    }
    file_names_free(names, n);
}

static int lock_all(const struct generate_paths *paths, int dir_fd, size_t *ret_found)
{
    struct lock l = {.dir_fd = dir_fd, .copy_dir = paths->copy_dir};

    for (size_t i = 0; paths->applied[i]; i++)
        lock_units(&l, paths->applied[i], false);
    lock_declared(&l, paths);
    *ret_found = l.n;
    return l.first;
}

/* An apply removes what earlier versions left. So what is there was written since, by one of them:
 * the host ran it again for a while. */
static int lock_older(const struct generate_paths *paths, int dir_fd,
                      const struct tenure_config *config, size_t from, size_t *ret_found)
{
    struct lock l = {.dir_fd = dir_fd, .copy_dir = paths->copy_dir, .config = config};

    for (size_t i = 0; paths->applied[i]; i++)
        if (i > from && i >= CONFIG_APPLIED_OLDER)
            lock_units(&l, paths->applied[i], false);
    *ret_found = l.n;
    return l.first;
}

static int write_guard(void *userdata, const char *unit, const char *text)
{
    const int *dir_fd = userdata;

    return guard_file_write(*dir_fd, unit, GUARD_FILE, text);
}

static int guard_applied(const struct generate_paths *paths, int dir_fd,
                         const struct tenure_config *config, size_t from, enum generate_source *ret)
{
    size_t found;
    int r = guard_each(config, paths->unit_dirs ? paths->unit_dirs : trigger_unit_dirs, write_guard,
                       &dir_fd);
    int earlier = earlier_keepers_end(paths, dir_fd, config);
    int older = lock_older(paths, dir_fd, config, from, &found);

    *ret = found > 0                         ? GENERATE_OLDER
           : from == CONFIG_APPLIED_OWN      ? GENERATE_SNAPSHOT
           : from == CONFIG_APPLIED_VOLATILE ? GENERATE_VOLATILE
                                             : GENERATE_COPY;
    return r < 0 ? r : earlier < 0 ? earlier : older;
}

static int guard_without(const struct generate_paths *paths, int dir_fd, bool missing,
                         enum generate_source *ret)
{
    size_t found;
    int r = lock_all(paths, dir_fd, &found);
    int live = guard_live(paths, dir_fd);

    *ret = !missing || found > 0 ? GENERATE_LOCK : GENERATE_NOTHING;
    return r < 0 ? r : live;
}

int generate(const struct generate_paths *paths, struct config_problems *problems,
             enum generate_source *ret)
{
    assert(paths && paths->applied && paths->copy_dir && paths->early_dir);
    assert(paths->main_file && paths->groups_dir && paths->run_dir && paths->invocations);
    assert(problems);
    assert(ret);

    _cleanup_config_ struct tenure_config *config = NULL;
    _cleanup_close_ int dir_fd = open(paths->early_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t from = 0;

    *ret = GENERATE_NOTHING;
    if (dir_fd < 0)
        return -errno;
    int r = config_load_applied(paths->applied, problems, &config, &from);
    return r == 0 ? guard_applied(paths, dir_fd, config, from, ret)
                  : guard_without(paths, dir_fd, r == -ENOENT, ret);
}
