/* SPDX-License-Identifier: Apache-2.0 */
#include "generator/generate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "config/file.h"
#include "config/trigger.h"
#include "config/unit_name.h"
#include "generator/guard.h"

/* The next quoted string of a text that libconfig wrote, with its escapes undone; false at the end.
 * A string too long or broken off is handed out as "". */
static bool next_string(const char **p, char *ret, size_t size)
{
    const char *s = strchr(*p, '"');
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

static int lock_units(const char *path, int dir_fd)
{
    _cleanup_free_ char *text = NULL;
    char name[UNIT_NAME_LEN_MAX + 2], guard[GUARD_SIZE_MAX];
    int first = 0;
    int r = file_read(path, CONFIG_SNAPSHOT_SIZE_MAX, &text);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = guard_lock_text(guard, sizeof guard);
    if (r < 0)
        return r;
    for (const char *p = text; next_string(&p, name, sizeof name);) {
        if (unit_name_problem(name))
            continue;
        r = guard_write(dir_fd, name, guard);
        if (r < 0 && first == 0)
            first = r;
    }
    return first;
}

static int write_groups(const struct tenure_config *c, int dir_fd, const char *const unit_dirs[])
{
    int first = 0;

    for (size_t i = 0; i < c->n_groups; i++) {
        int r = guard_write_group(dir_fd, &c->groups[i], unit_dirs);

        if (r < 0 && first == 0)
            first = r;
    }
    if (c->n_groups > 0 && first == 0)
        first = guard_write_agent(dir_fd, c);
    return first;
}

/* The snapshot, or its copy. -ENOENT: there is neither. */
static int load_either(const char *path, const char *copy, struct config_problems *problems,
                       struct tenure_config **config, enum generate_source *source)
{
    _cleanup_problems_ struct config_problems of_copy = {0};
    int r = config_load_snapshot(path, problems, config);

    *source = GENERATE_SNAPSHOT;
    if (r == 0 || r == -ENOMEM)
        return r;
    int r_copy = config_load_snapshot(copy, &of_copy, config);
    *source = GENERATE_COPY;
    if (r_copy != -ENOENT)
        return r_copy;
    return r;
}

int generate(const char *path, const char *early_dir, const char *const unit_dirs[],
             struct config_problems *problems, enum generate_source *ret)
{
    assert(path);
    assert(early_dir);
    assert(problems);
    assert(ret);

    _cleanup_config_ struct tenure_config *config = NULL;
    _cleanup_free_ char *copy = NULL;
    _cleanup_close_ int dir_fd = open(early_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *ret = GENERATE_NOTHING;
    if (dir_fd < 0)
        return -errno;
    if (asprintf(&copy, "%s%s", path, CONFIG_SNAPSHOT_COPY_SUFFIX) < 0) {
        copy = NULL;
        return -ENOMEM;
    }

    enum generate_source source;
    int r = load_either(path, copy, problems, &config, &source);
    if (r == -ENOENT)
        return 0;
    if (r == 0) {
        *ret = source;
        return write_groups(config, dir_fd, unit_dirs ? unit_dirs : trigger_unit_dirs);
    }

    *ret = GENERATE_LOCK;
    r = lock_units(path, dir_fd);
    int r_copy = lock_units(copy, dir_fd);
    return r < 0 ? r : r_copy;
}
