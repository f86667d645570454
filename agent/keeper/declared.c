/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/declared.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "base/guard.h"
#include "base/names.h"
#include "base/parse.h"
#include "keeper/lines.h"

#define UNIT_CHARS                                                                                 \
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"                               \
    ":-_.\\@"
#define PIECE_SIZE 4096

/* ---- names ---- */

static bool ends_in(const char *name, size_t length, const char *suffix)
{
    size_t n = strlen(suffix);

    return length > n && strncmp(name + length - n, suffix, n) == 0;
}

/* Of a type that a group can have, no template, and not of the product itself. A slice above all
 * would take along whatever else is in it. */
static bool may_be_declared(const char *name, size_t length)
{
    static const char *const suffixes[] = {".service", ".socket", ".mount",
                                           ".timer",   ".path",   ".target"};

    if (length == 0 || length > UNIT_NAME_LEN_MAX || strspn(name, UNIT_CHARS) < length ||
        strncmp(name, "tenure@", strlen("tenure@")) == 0 ||
        strncmp(name, "tenure-stop@", strlen("tenure-stop@")) == 0 ||
        strncmp(name, "tenured.", strlen("tenured.")) == 0)
        return false;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (ends_in(name, length, suffixes[i]))
            return name[length - strlen(suffixes[i]) - 1] != '@';
    return false;
}

static bool is_there(const struct declared *d, const char *name, size_t length)
{
    for (size_t i = 0; i < d->n; i++)
        if (strlen(d->names[i]) == length && strncmp(d->names[i], name, length) == 0)
            return true;
    return false;
}

static void add_one(struct declared *d, const char *name, size_t length)
{
    if (!may_be_declared(name, length) || is_there(d, name, length))
        return;
    if (d->n >= DECLARED_UNITS_MAX || length >= sizeof d->text - d->used) {
        d->cut = true;
        return;
    }
    char *copy = d->text + d->used;
    memcpy(copy, name, length);
    copy[length] = '\0';
    d->used += length + 1;
    d->names[d->n++] = copy;
    d->names[d->n] = NULL;
}

void declared_add(struct declared *d, const char *names)
{
    assert(d);

    while (names && *names) {
        size_t length = strcspn(names, " ");

        add_one(d, names, length);
        names += length;
        names += strspn(names, " ");
    }
}

/* ---- drop-ins ---- */

/* What follows the key; NULL: it is another line. */
static const char *value_of(const char *line, const char *key)
{
    size_t n = strlen(key);

    return strncmp(line, key, n) == 0 ? line + n : NULL;
}

/* A line of base/guard.h's settings for a keeper. (Environment= has the names, too, but quoted, and
 * not of those that left the group.) */
static void take_line(void *userdata, const char *line)
{
    struct declared *d = userdata;
    const char *unit = value_of(line, "PropagatesStopTo=");
    const char *stop = value_of(line, "TimeoutStopSec=");
    usec_t span;

    if (unit)
        declared_add(d, unit);
    else if (stop && parse_span(stop, &span) == 0 && span < USEC_INFINITY)
        d->stop = usec_max(d->stop, usec_sub(span, BUDGET_PID1_EXTRA_USEC));
}

static int open_drop_in(const char *dir, const char *instance)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/tenure@%s.service.d/" GUARD_FILE, dir, instance);

    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return -EPERM;
    return take_fd(&fd);
}

void declared_read(struct declared *d, const char *const dirs[], const char *instance)
{
    assert(d);
    assert(dirs);
    assert(instance);

    for (; *dirs; dirs++) {
        struct lines lines = {.length = 0};
        char piece[PIECE_SIZE];
        ssize_t n;
        _cleanup_close_ int fd = open_drop_in(*dirs, instance);

        while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
            lines_feed(&lines, piece, (size_t)n, take_line, d);
    }
}
