/* SPDX-License-Identifier: Apache-2.0 */
#include "generator/guard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/trigger.h"
#include "config/unit_name.h"

#define UNIT_TEXT_MAX (UNIT_NAME_LEN_MAX + 1)
#define FILE_NAME_SIZE (UNIT_TEXT_MAX + sizeof ".wants")

/* Names in these texts need no escaping: systemd takes the backslashes of unit names in dependency
 * lists and Slice= as they are, and '%', its specifiers' character, is in no valid group or unit
 * name. The run directory bears the group's plain name, because EnvironmentFile= is a glob, in
 * which a backslash would quote. */

struct text {
    char *buffer;
    size_t size;
    size_t n;
    bool full;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(t->buffer + t->n, t->size - t->n, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= t->size - t->n)
        t->full = true;
    else
        t->n += (size_t)n;
}

/* Environment= undoes backslashes, alone of all the settings here. */
static void add_quoted(struct text *t, const char *s)
{
    for (; *s; s++)
        add(t, *s == '\\' ? "\\%c" : "%c", *s);
}

static int finish(const struct text *t)
{
    assert(t->full || !strchr(t->buffer, '%'));
    return t->full ? -ENOBUFS : (int)t->n;
}

/* Units that are no services are pulled up by the keeper, which comes after basic.target: with
 * their usual place before early targets PID 1 would find an ordering cycle at boot. */
static void add_late_start(struct text *t)
{
    add(t, "DefaultDependencies=no\n"
           "Conflicts=shutdown.target\n"
           "Before=shutdown.target\n"
           "After=sysinit.target\n");
}

static void add_section(struct text *t, const struct config_group *g, const char *suffix)
{
    char slice[UNIT_TEXT_MAX];

    if (group_slice_unit(g->name, slice, sizeof slice) < 0)
        t->full = true;
    else if (strcmp(suffix, "service") == 0)
        add(t,
            "\n[Service]\n"
            "Slice=%s\n"
            "EnvironmentFile=-" TENURE_GROUPS_DIR "/%s/" KEEPER_ENV_FILE "\n"
            "TimeoutStopSec=%" PRIu64 "us\n"
            "TimeoutStopFailureMode=kill\n"
            "SendSIGKILL=yes\n"
            "FinalKillSignal=SIGKILL\n",
            slice, g->name, g->budget.stop);
    else if (strcmp(suffix, "socket") == 0 || strcmp(suffix, "mount") == 0)
        add(t,
            "\n[%s]\n"
            "Slice=%s\n"
            "TimeoutSec=%" PRIu64 "us\n"
            "SendSIGKILL=yes\n"
            "FinalKillSignal=SIGKILL\n",
            strcmp(suffix, "socket") == 0 ? "Socket" : "Mount", slice, g->budget.stop);
}

int guard_unit_text(const struct config_group *g, const char *unit, char *ret, size_t size)
{
    assert(g);
    assert(unit);
    assert(ret);
    assert(size > 0);

    struct text t = {.buffer = ret, .size = size};
    const char *suffix = unit_name_suffix(unit);
    char keeper[UNIT_TEXT_MAX];

    if (group_keeper_unit(g->name, keeper, sizeof keeper) < 0)
        return -ENOBUFS;
    add(&t,
        "# Written by tenure-generator: this unit belongs to group \"%s\" and runs on its leader "
        "only.\n"
        "[Unit]\n"
        "BindsTo=%s\n"
        "After=%s\n"
        "AssertPathExists=" TENURE_GROUPS_DIR "/%s/" KEEPER_STATE_FILE "\n",
        g->name, keeper, keeper, g->name);
    if (strcmp(suffix, "service") != 0)
        add_late_start(&t);
    add_section(&t, g, suffix);
    return finish(&t);
}

/* What is added to the keeper's own confinement, for groups that may restart the host alone. */
static void add_reboot(struct text *t, const struct config_group *g)
{
    add(t,
        "Environment=" KEEPER_REBOOT_ENV "=%" PRIu64 "\n"
        "CapabilityBoundingSet=CAP_SYS_BOOT\n"
        "SystemCallFilter=reboot\n",
        g->budget.kill);
}

int guard_keeper_text(const struct config_group *g, char *ret, size_t size)
{
    assert(g);
    assert(ret);
    assert(size > 0);

    struct text t = {.buffer = ret, .size = size};
    char slice[UNIT_TEXT_MAX];
    int r = group_slice_unit(g->name, slice, sizeof slice);

    if (r < 0)
        return r;
    usec_t span = g->budget.stop + GUARD_KEEPER_STOP_EXTRA_USEC;

    add(&t,
        "# Written by tenure-generator: the keeper of group \"%s\" gets its slice, and the time "
        "it needs to end its units.\n"
        "[Unit]\n"
        "Requires=%s\n"
        "After=%s\n"
        "\n[Service]\n"
        "TimeoutStopSec=%" PRIu64 "us\n"
        "TimeoutAbortSec=%" PRIu64 "us\n"
        "Environment=\"" KEEPER_UNITS_ENV "=",
        g->name, slice, slice, span, span);
    for (size_t i = 0; i < g->n_units; i++) {
        if (i > 0)
            add(&t, " ");
        add_quoted(&t, g->units[i]);
    }
    add(&t, "\"\n");
    if (g->reboot)
        add_reboot(&t, g);
    return finish(&t);
}

int guard_lock_text(const char *unit, char *ret, size_t size)
{
    assert(unit);
    assert(ret);
    assert(size > 0);

    struct text t = {.buffer = ret, .size = size};

    add(&t, "# Written by tenure-generator: the applied configuration is missing or broken, so "
            "nothing that belongs to a group may start.\n"
            "[Unit]\n"
            "AssertPathExists=" GUARD_LOCK_PATH "\n");
    /* A restart by itself is a start without this question on systemd 257. */
    if (strcmp(unit_name_suffix(unit), "service") == 0)
        add(&t, "\n[Service]\nRestart=no\n");
    return finish(&t);
}

static int make_directory(int dir_fd, const char *unit, const char *suffix, char *ret, size_t size)
{
    int n = snprintf(ret, size, "%s%s", unit, suffix);

    if (n < 0 || (size_t)n >= size)
        return -ENAMETOOLONG;
    return mkdirat(dir_fd, ret, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        length -= (size_t)n;
    }
    return 0;
}

int guard_write(int dir_fd, const char *unit, const char *text)
{
    assert(unit);
    assert(text);

    char dir[FILE_NAME_SIZE], path[FILE_NAME_SIZE + sizeof GUARD_FILE + 1];
    int r = make_directory(dir_fd, unit, ".d", dir, sizeof dir);

    if (r < 0)
        return r;
    (void)snprintf(path, sizeof path, "%s/%s", dir, GUARD_FILE);
    _cleanup_close_ int fd =
        openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd < 0 ? -errno : write_all(fd, text, strlen(text));
}

/* The link's target is only looked at for its last part: the unit's name. */
static int link_unit(int dir_fd, const char *wants, const char *unit)
{
    char path[2 * FILE_NAME_SIZE], target[FILE_NAME_SIZE];

    (void)snprintf(path, sizeof path, "%s/%s", wants, unit);
    (void)snprintf(target, sizeof target, "../%s", unit);
    return symlinkat(target, dir_fd, path) < 0 && errno != EEXIST ? -errno : 0;
}

static void keep_first(int *first, int r)
{
    if (*first == 0 && r < 0)
        *first = r;
}

/* Whether a timer or path of the group starts this unit. (What a socket starts is pulled up by the
 * keeper as well: it serves the socket, and whoever comes first need not wait for it.) */
static bool has_its_time(const struct config_group *g, const char *unit,
                         const char *const unit_dirs[])
{
    char triggered[UNIT_TEXT_MAX];

    for (size_t i = 0; i < g->n_units; i++) {
        const char *suffix = unit_name_suffix(g->units[i]);

        if ((strcmp(suffix, "timer") == 0 || strcmp(suffix, "path") == 0) &&
            trigger_find(unit_dirs, g->units[i], triggered, sizeof triggered) == 0 &&
            strcmp(triggered, unit) == 0)
            return true;
    }
    return false;
}

int guard_write_group(int dir_fd, const struct config_group *g, const char *const unit_dirs[])
{
    assert(g);
    assert(unit_dirs);

    char text[GUARD_SIZE_MAX], keeper[UNIT_TEXT_MAX], wants[FILE_NAME_SIZE];
    int first = group_keeper_unit(g->name, keeper, sizeof keeper);

    if (first < 0)
        return first;
    /* The guards before the links: a full disk must not leave a unit that is wanted but free. */
    for (size_t i = 0; i < g->n_units; i++) {
        int r = guard_unit_text(g, g->units[i], text, sizeof text);

        keep_first(&first, r < 0 ? r : guard_write(dir_fd, g->units[i], text));
    }
    int r = guard_keeper_text(g, text, sizeof text);
    keep_first(&first, r < 0 ? r : guard_write(dir_fd, keeper, text));

    r = make_directory(dir_fd, keeper, ".wants", wants, sizeof wants);
    keep_first(&first, r);
    for (size_t i = 0; i < g->n_units && r == 0; i++)
        if (!has_its_time(g, g->units[i], unit_dirs))
            keep_first(&first, link_unit(dir_fd, wants, g->units[i]));
    return first;
}

/* Keepers come after the agent anyway. Said on the agent's side as well, it makes PID 1 keep them
 * and what they want loaded for as long as it has the agent: a unit that nothing loaded refers to
 * is read from its files anew for every question, some milliseconds each, several times a lease. */
int guard_write_agent(int dir_fd, const struct tenure_config *c)
{
    assert(c);

    char keeper[UNIT_TEXT_MAX];
    size_t size = 256 + c->n_groups * (sizeof keeper + sizeof "Before=\n");
    _cleanup_free_ char *buffer = malloc(size);
    struct text t = {.buffer = buffer, .size = size};

    if (!buffer)
        return -ENOMEM;
    add(&t,
        "# Written by tenure-generator: systemd keeps the units of all groups loaded.\n[Unit]\n");
    for (size_t i = 0; i < c->n_groups; i++) {
        int r = group_keeper_unit(c->groups[i].name, keeper, sizeof keeper);

        if (r < 0)
            return r;
        add(&t, "Before=%s\n", keeper);
    }
    int r = finish(&t);
    return r < 0 ? r : guard_write(dir_fd, "tenured.service", buffer);
}
