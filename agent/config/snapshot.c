/* SPDX-License-Identifier: Apache-2.0 */
#include "config/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libconfig.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"

#define SNAPSHOT_MODE 0640 /* conninfo may hold a password; the agent's group reads it */

static const char banner[] = "# The configuration tenure acts on, written by `tenurectl apply`.\n"
                             "# Do not edit: change tenure.conf and groups.d/, then\n"
                             "# `systemctl reload tenured`.\n";

/* libconfig has no error codes here: it returns NULL without memory. */
static int set_string(config_setting_t *parent, const char *key, const char *value)
{
    config_setting_t *s = config_setting_add(parent, key, CONFIG_TYPE_STRING);

    return s && config_setting_set_string(s, value) == CONFIG_TRUE ? 0 : -ENOMEM;
}

static int set_bool(config_setting_t *parent, const char *key, bool value)
{
    config_setting_t *s = config_setting_add(parent, key, CONFIG_TYPE_BOOL);

    return s && config_setting_set_bool(s, value) == CONFIG_TRUE ? 0 : -ENOMEM;
}

/* To the microsecond: the budget that was checked is the one that is read back. */
static int set_span(config_setting_t *parent, const char *key, usec_t span)
{
    char text[SPAN_FORMAT_MAX];
    usec_t again;

    if (parse_span(format_span(span, text, sizeof text), &again) < 0 || again != span)
        (void)snprintf(text, sizeof text, "%" PRIu64 "us", span);
    return set_string(parent, key, text);
}

static int set_units(config_setting_t *parent, char *const *units, size_t n)
{
    config_setting_t *s = config_setting_add(parent, "units", CONFIG_TYPE_ARRAY);

    if (!s)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (!config_setting_set_string_elem(s, -1, units[i]))
            return -ENOMEM;
    return 0;
}

static int set_group(config_setting_t *list, const struct config_group *g)
{
    config_setting_t *s = config_setting_add(list, NULL, CONFIG_TYPE_GROUP);

    if (!s || set_string(s, "name", g->name) < 0)
        return -ENOMEM;

    if (set_units(s, g->units, g->n_units) < 0 ||
        set_string(s, "method", method_name(g->method)) < 0 ||
        set_span(s, "lease", g->budget.lease) < 0 ||
        set_span(s, "stop_timeout", g->budget.stop) < 0)
        return -ENOMEM;
    if (g->reboot && set_string(s, "fence", CONFIG_FENCE_REBOOT) < 0)
        return -ENOMEM;
    if (g->watchdog > 0 && set_string(s, "watchdog", CONFIG_WATCHDOG_REQUIRE) < 0)
        return -ENOMEM;
    return 0;
}

static int set_kept(config_setting_t *list, const struct config_kept *k)
{
    config_setting_t *s = config_setting_add(list, NULL, CONFIG_TYPE_GROUP);

    if (!s || set_string(s, "name", k->name) < 0)
        return -ENOMEM;
    return set_units(s, k->units, k->n_units);
}

static int set_all(config_setting_t *root, const struct tenure_config *c)
{
    if (set_string(root, "node", c->node) < 0)
        return -ENOMEM;

    config_setting_t *arbiter = config_setting_add(root, "arbiter", CONFIG_TYPE_GROUP);
    if (!arbiter || set_string(arbiter, "type", "postgresql") < 0 ||
        set_string(arbiter, "conninfo", c->arbiter.conninfo) < 0)
        return -ENOMEM;
    if (set_bool(arbiter, "require_sync", c->arbiter.require_sync) < 0)
        return -ENOMEM;
    /* Without it the operator has not decided. */
    if (!c->arbiter.unjudged &&
        set_bool(arbiter, "allow_unverified", c->arbiter.allow_unverified) < 0)
        return -ENOMEM;

    config_setting_t *groups = config_setting_add(root, "groups", CONFIG_TYPE_LIST);
    if (!groups)
        return -ENOMEM;
    for (size_t i = 0; i < c->n_groups; i++)
        if (set_group(groups, &c->groups[i]) < 0)
            return -ENOMEM;

    config_setting_t *kept =
        c->n_kept == 0 ? NULL : config_setting_add(root, "kept", CONFIG_TYPE_LIST);
    if (c->n_kept > 0 && !kept)
        return -ENOMEM;
    for (size_t i = 0; i < c->n_kept; i++)
        if (set_kept(kept, &c->kept[i]) < 0)
            return -ENOMEM;
    return 0;
}

static int own_file(int fd)
{
    const struct passwd *tenure;

    if (fchmod(fd, SNAPSHOT_MODE) < 0)
        return -errno;
    if (geteuid() != 0)
        return 0;
    tenure = getpwnam(TENURE_USER);
    if (tenure && fchown(fd, (uid_t)-1, tenure->pw_gid) < 0)
        return -errno;
    return 0;
}

/* Takes the descriptor. On success everything is on the disk. */
static int fill_file(int fd, const config_t *lc)
{
    int r = own_file(fd);
    FILE *f = r < 0 ? NULL : fdopen(fd, "w");

    if (!f) {
        r = r < 0 ? r : -errno;
        (void)close(fd);
        return r;
    }
    (void)fputs(banner, f);
    config_write(lc, f);
    if (ferror(f) || fflush(f) != 0)
        r = errno ? -errno : -EIO;
    else if (fsync(fileno(f)) < 0)
        r = -errno;
    if (fclose(f) != 0 && r == 0)
        r = -errno;
    return r;
}

/* For free(3). */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
}

static int sync_directory_of(const char *path)
{
    _cleanup_free_ char *dir = directory_of(path);

    if (!dir)
        return -ENOMEM;

    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Its parent has to be there. */
static int make_directory_of(const char *path)
{
    _cleanup_free_ char *dir = directory_of(path);

    if (!dir)
        return -ENOMEM;
    dir[strlen(dir) - (strlen(dir) > 1)] = '\0'; /* the slash */
    if (mkdir(dir, 0755) < 0)
        return errno == EEXIST ? 0 : -errno;
    if (chmod(dir, 0755) < 0) /* whatever the umask is */
        return -errno;
    return sync_directory_of(dir);
}

static int replace_file(const config_t *lc, const char *path)
{
    _cleanup_free_ char *temporary = NULL;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        temporary = NULL;
        return -ENOMEM;
    }

    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 until it is ours */
    if (fd < 0)
        return -errno;
    int r = fill_file(fd, lc);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(temporary);
        return r;
    }
    return sync_directory_of(path);
}

int config_write_snapshot(const struct tenure_config *c, const char *path)
{
    assert(c);
    assert(path);

    config_t lc;

    config_init(&lc);
    config_set_options(&lc, CONFIG_OPTION_SEMICOLON_SEPARATORS);
    int r = set_all(config_root_setting(&lc), c);
    if (r == 0)
        r = replace_file(&lc, path);
    config_destroy(&lc);
    return r;
}

static int write_at(const struct tenure_config *c, const char *path)
{
    int r = make_directory_of(path);

    return r < 0 ? r : config_write_snapshot(c, path);
}

/* Not for lack of something that may be there next time. */
static bool cannot_be_written(int error)
{
    return error == -EROFS || error == -EACCES || error == -EPERM || error == -ENOTDIR;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Could a file be made beside it? Its directory is made if need be. */
static int probe(const char *path)
{
    _cleanup_free_ char *temporary = NULL;
    int r = make_directory_of(path);

    if (r < 0)
        return r;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        temporary = NULL;
        return -ENOMEM;
    }
    _cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0 || unlink(temporary) < 0)
        return -errno;
    return 0;
}

/* Of those that would count when the volatile one is gone: the first that would stay. */
static int older_can_go(const char *const files[], size_t *ret_where)
{
    for (size_t i = 0; files[i]; i++) {
        int r = i >= CONFIG_APPLIED_OLDER && is_there(files[i]) ? probe(files[i]) : 0;

        if (r < 0) {
            *ret_where = i;
            return r;
        }
    }
    return 0;
}

int config_find_place(const char *const files[], size_t *ret_where, int *ret_error)
{
    assert(files && files[CONFIG_APPLIED_OWN] && files[CONFIG_APPLIED_COPY]);
    assert(files[CONFIG_APPLIED_VOLATILE]);
    assert(ret_where);
    assert(ret_error);

    int r = probe(files[CONFIG_APPLIED_OWN]);

    *ret_where = CONFIG_APPLIED_OWN;
    *ret_error = r;
    if (!cannot_be_written(r) || is_there(files[CONFIG_APPLIED_OWN]) ||
        is_there(files[CONFIG_APPLIED_COPY]))
        return r;
    *ret_where = CONFIG_APPLIED_VOLATILE;
    return older_can_go(files, ret_where);
}

/* Returns 0, or why the first that is left could not be removed; *ret_left, if not NULL, which. (On
 * a read-only file system what is not there cannot be removed either.) */
static int remove_from(const char *const files[], size_t first, size_t *ret_left)
{
    int error = 0;

    for (size_t i = 0; files[i]; i++) {
        int r = i >= first && unlink(files[i]) < 0 ? -errno : 0;

        if (r == 0 || error < 0 || !is_there(files[i]))
            continue;
        error = r;
        if (ret_left)
            *ret_left = i;
    }
    return error;
}

static int write_volatile(const struct tenure_config *c, const char *const files[],
                          size_t *ret_where)
{
    int r = write_at(c, files[CONFIG_APPLIED_VOLATILE]);

    return r < 0 ? r : remove_from(files, CONFIG_APPLIED_OLDER, ret_where);
}

int config_write_applied(const struct tenure_config *c, const char *const files[],
                         size_t *ret_where, int *ret_error)
{
    assert(c);

    int r = config_find_place(files, ret_where, ret_error);

    if (r < 0)
        return r;
    if (*ret_where == CONFIG_APPLIED_VOLATILE)
        return write_volatile(c, files, ret_where);
    r = config_restore_applied(c, files, ret_error);
    if (r == 0)
        /* What cannot be taken away comes last all the same. */
        (void)remove_from(files, CONFIG_APPLIED_VOLATILE, NULL);
    return r;
}

int config_restore_applied(const struct tenure_config *c, const char *const files[], int *ret_error)
{
    assert(c);
    assert(files && files[CONFIG_APPLIED_OWN] && files[CONFIG_APPLIED_COPY]);
    assert(ret_error);

    int r = write_at(c, files[CONFIG_APPLIED_OWN]);

    *ret_error = 0;
    if (r < 0)
        return r;
    *ret_error = write_at(c, files[CONFIG_APPLIED_COPY]);
    if (*ret_error < 0)
        (void)unlink(files[CONFIG_APPLIED_COPY]); /* none is better than an outdated one */
    return 0;
}
