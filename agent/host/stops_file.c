/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stops_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "base/parse.h"
#include "host/small_file.h"

#define PATH_SIZE 512
#define STOPS_SIZE_MAX ((size_t)64 * 1024) /* the units of one group, and room */

static int stops_path(const char *dir, const char *group, const char *before,
                      char ret[static PATH_SIZE])
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, PATH_SIZE, "%s/%s" STOPS_FILE_PREFIX "%s", dir, before, group);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

/* "unit=NAME …" with seven numbers. */
static int write_began(FILE *f, const char *unit, const struct stop_began *b)
{
    return fprintf(f, "unit=%s %d %d %d %" PRIu64 " %d %" PRIu64 " %" PRIu64 "\n", unit,
                   b->as.known, b->as.commands, b->as.remains, b->as.fingerprint, b->was_up,
                   b->since, b->proven) < 0
               ? -EIO
               : 0;
}

static int write_stops(const char *path, const struct stops_file *f)
{
    char head[STOPS_HEAD_MAX];
    int r = stops_head_format(f->term, f->stops, head, sizeof head);

    if (r < 0)
        return r;
    _cleanup_fclose_ FILE *out = fopen(path, "we");
    if (!out)
        return -errno;
    r = fputs(head, out) < 0 ? -EIO : 0;
    for (size_t i = 0; i < f->n && r >= 0; i++)
        r = write_began(out, f->units[i], &f->began[i]);
    if (r >= 0 && fflush(out) != 0)
        r = -errno;
    return r;
}

int stops_save(const char *dir, const char *group, const struct stops_file *f)
{
    assert(dir);
    assert(group);
    assert(f);

    char path[PATH_SIZE], new[PATH_SIZE];
    int r = stops_path(dir, group, "", path);

    /* No name of a file that is read begins with a dot. */
    if (r < 0 || (r = stops_path(dir, group, ".", new)) < 0)
        return r;
    r = write_stops(new, f);
    if (r >= 0 && rename(new, path) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(new);
    return r;
}

static int take_number(char **line, uint64_t *ret)
{
    const char *word = strsep(line, " ");

    return word && parse_u64(word, ret) >= 0 ? 0 : -EBADMSG;
}

static int take_bool(char **line, bool *ret)
{
    uint64_t n;

    if (take_number(line, &n) < 0 || n > 1)
        return -EBADMSG;
    *ret = n == 1;
    return 0;
}

static int read_began(char *line, const struct stops_file *f, struct stop_began *ret)
{
    static const char key[] = "unit=";
    struct stop_began b;

    if (strncmp(line, key, strlen(key)) != 0)
        return -EBADMSG;
    line += strlen(key);
    const char *name = strsep(&line, " ");
    if (take_bool(&line, &b.as.known) < 0 || take_bool(&line, &b.as.commands) < 0 ||
        take_bool(&line, &b.as.remains) < 0 || take_number(&line, &b.as.fingerprint) < 0 ||
        take_bool(&line, &b.was_up) < 0 || take_number(&line, &b.since) < 0 ||
        take_number(&line, &b.proven) < 0 || line)
        return -EBADMSG;
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->units[i], name) == 0)
            ret[i] = b;
    return 0;
}

static int read_stops(char *text, size_t length, struct stops_file *f, struct stop_began *began)
{
    int head = stops_head_parse(text, length, &f->term, &f->stops);
    char *rest = text + (head < 0 ? 0 : head);

    if (head < 0)
        return head;
    for (char *line; (line = strsep(&rest, "\n")) && rest;) {
        int r = read_began(line, f, began);

        if (r < 0)
            return r;
    }
    return 0;
}

int stops_load(const char *dir, const char *group, struct stops_file *f)
{
    assert(dir);
    assert(group);
    assert(f);

    struct stops_file found = *f;
    char path[PATH_SIZE];
    int r = stops_path(dir, group, "", path);

    if (r < 0)
        return r;
    _cleanup_free_ char *text = malloc(STOPS_SIZE_MAX);
    _cleanup_free_ struct stop_began *began = calloc(f->n, sizeof *began);
    if (!text || !began)
        return -ENOMEM;
    ssize_t n = small_file_read(path, text, STOPS_SIZE_MAX);
    if (n < 0)
        return (int)n;
    text[n] = '\0'; /* a file that fills it is refused */
    r = read_stops(text, (size_t)n, &found, began);
    if (r < 0)
        return r;
    f->term = found.term;
    f->stops = found.stops;
    memcpy(f->began, began, f->n * sizeof *began);
    return 0;
}
