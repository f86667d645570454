/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ticket.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define NUMBER_DIGITS 20 /* of the largest */

static const char *const first_lines[] = {
    [TICKET_VERSION_FIXED] = "tenure-ticket 1\n",
    [TICKET_VERSION] = "tenure-ticket 2\n",
};

static bool version_valid(unsigned version)
{
    return version == TICKET_VERSION_FIXED || version == TICKET_VERSION;
}

/* Owners come from the arbiter's row, which others can write: letters, digits, "_.-" and "/". */
static bool owner_valid(const char *owner)
{
    size_t n = strlen(owner);

    return n > 0 && n <= OWNER_MAX &&
           strspn(owner, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") == n;
}

static bool ticket_valid(const struct ticket *t)
{
    return version_valid(t->version) && group_name_valid(t->group) && node_name_valid(t->node) &&
           owner_valid(t->owner) && t->term > 0 && t->term <= INT64_MAX;
}

int ticket_format_tail(const struct ticket *t, char *ret, size_t size)
{
    assert(t && version_valid(t->version));
    assert(ret);

    int n;

    if (t->version == TICKET_VERSION_FIXED)
        n = snprintf(ret, size, "deadline_usec=%0*" PRIu64 "\n", NUMBER_DIGITS, t->deadline);
    else
        n = snprintf(ret, size,
                     "lease_usec=%0*" PRIu64 "\n"
                     "duration_usec=%0*" PRIu64 "\n"
                     "deadline_usec=%0*" PRIu64 "\n",
                     NUMBER_DIGITS, t->lease, NUMBER_DIGITS, t->duration, NUMBER_DIGITS,
                     t->deadline);
    return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

/* The part that never changes. */
static int format_head(const struct ticket *t, char *ret, size_t size)
{
    int n = snprintf(ret, size,
                     "%sgroup=%s\n"
                     "node=%s\n"
                     "owner=%s\n"
                     "term=%" PRIu64 "\n",
                     first_lines[t->version], t->group, t->node, t->owner, t->term);
    int more;

    if (n < 0 || (size_t)n >= size)
        return -ENOBUFS;
    if (t->version == TICKET_VERSION_FIXED)
        more = snprintf(ret + n, size - (size_t)n,
                        "lease_usec=%" PRIu64 "\n"
                        "stop_usec=%" PRIu64 "\n"
                        "duration_usec=%" PRIu64 "\n",
                        t->lease, t->stop, t->duration);
    else
        more = snprintf(ret + n, size - (size_t)n, "stop_usec=%" PRIu64 "\n", t->stop);
    return more < 0 || (size_t)n + (size_t)more >= size ? -ENOBUFS : n + more;
}

int ticket_format(const struct ticket *t, char *ret, size_t size)
{
    assert(t);
    assert(ret);

    if (!ticket_valid(t))
        return -EINVAL;
    int head = format_head(t, ret, size);
    if (head < 0)
        return head;
    int tail = ticket_format_tail(t, ret + head, size - (size_t)head);
    return tail < 0 ? tail : head + tail;
}

/* Cuts "KEY=VALUE\n" off the text and copies the value. */
static int take_string(char **text, const char *key, char *ret, size_t size)
{
    size_t length = strlen(key);
    char *value, *end;

    if (strncmp(*text, key, length) != 0 || (*text)[length] != '=')
        return -EBADMSG;
    value = *text + length + 1;
    end = strchr(value, '\n');
    if (!end || (size_t)(end - value) >= size)
        return -EBADMSG;
    memcpy(ret, value, (size_t)(end - value));
    ret[end - value] = '\0';
    *text = end + 1;
    return 0;
}

static int take_number(char **text, const char *key, uint64_t *ret)
{
    char value[NUMBER_DIGITS + 1];

    if (take_string(text, key, value, sizeof value) < 0 || parse_u64(value, ret) < 0)
        return -EBADMSG;
    return 0;
}

static int take_version(char **text, unsigned *ret)
{
    for (unsigned v = TICKET_VERSION_FIXED; v <= TICKET_VERSION; v++)
        if (strncmp(*text, first_lines[v], strlen(first_lines[v])) == 0) {
            *text += strlen(first_lines[v]);
            *ret = v;
            return 0;
        }
    return -EBADMSG;
}

static int take_spans(char **text, struct ticket *t)
{
    bool fixed = t->version == TICKET_VERSION_FIXED;

    if ((fixed && take_number(text, "lease_usec", &t->lease) < 0) ||
        take_number(text, "stop_usec", &t->stop) < 0 ||
        (!fixed && take_number(text, "lease_usec", &t->lease) < 0))
        return -EBADMSG;
    return take_number(text, "duration_usec", &t->duration);
}

int ticket_parse(const char *text, size_t length, struct ticket *ret)
{
    assert(text);
    assert(ret);

    char copy[TICKET_SIZE_MAX + 1], again[TICKET_SIZE_MAX + 1];
    struct ticket t = {0};

    if (length > TICKET_SIZE_MAX || memchr(text, '\0', length))
        return -EBADMSG;
    memcpy(copy, text, length);
    copy[length] = '\0';

    char *p = copy;
    if (take_version(&p, &t.version) < 0 || take_string(&p, "group", t.group, sizeof t.group) < 0 ||
        take_string(&p, "node", t.node, sizeof t.node) < 0 ||
        take_string(&p, "owner", t.owner, sizeof t.owner) < 0 ||
        take_number(&p, "term", &t.term) < 0 || take_spans(&p, &t) < 0 ||
        take_number(&p, "deadline_usec", &t.deadline) < 0 || *p)
        return -EBADMSG;

    /* Exactly what the other end writes: nothing has a second spelling. */
    int n = ticket_format(&t, again, sizeof again);
    if (n < 0 || (size_t)n != length || memcmp(again, text, length) != 0)
        return -EBADMSG;
    *ret = t;
    return 0;
}
