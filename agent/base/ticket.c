/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ticket.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define TICKET_FIRST_LINE "tenure-ticket 1\n"

/* Owners come from the arbiter's row, which others can write: letters, digits, "_.-" and "/". */
static bool owner_valid(const char *owner)
{
    size_t n = strlen(owner);

    return n > 0 && n <= OWNER_MAX &&
           strspn(owner, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") == n;
}

static bool ticket_valid(const struct ticket *t)
{
    return group_name_valid(t->group) && node_name_valid(t->node) && owner_valid(t->owner) &&
           t->term > 0 && t->term <= INT64_MAX;
}

int ticket_format(const struct ticket *t, char *ret, size_t size)
{
    assert(t);
    assert(ret);

    if (!ticket_valid(t))
        return -EINVAL;

    int n = snprintf(ret, size,
                     TICKET_FIRST_LINE "group=%s\n"
                                       "node=%s\n"
                                       "owner=%s\n"
                                       "term=%" PRIu64 "\n"
                                       "lease_usec=%" PRIu64 "\n"
                                       "stop_usec=%" PRIu64 "\n"
                                       "duration_usec=%" PRIu64 "\n"
                                       "deadline_usec=%0*" PRIu64 "\n",
                     t->group, t->node, t->owner, t->term, t->lease, t->stop, t->duration,
                     TICKET_DEADLINE_DIGITS, t->deadline);
    return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
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
    char value[TICKET_DEADLINE_DIGITS + 1];

    if (take_string(text, key, value, sizeof value) < 0 || parse_u64(value, ret) < 0)
        return -EBADMSG;
    return 0;
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

    if (strncmp(copy, TICKET_FIRST_LINE, strlen(TICKET_FIRST_LINE)) != 0)
        return -EBADMSG;
    char *p = copy + strlen(TICKET_FIRST_LINE);
    if (take_string(&p, "group", t.group, sizeof t.group) < 0 ||
        take_string(&p, "node", t.node, sizeof t.node) < 0 ||
        take_string(&p, "owner", t.owner, sizeof t.owner) < 0 ||
        take_number(&p, "term", &t.term) < 0 || take_number(&p, "lease_usec", &t.lease) < 0 ||
        take_number(&p, "stop_usec", &t.stop) < 0 ||
        take_number(&p, "duration_usec", &t.duration) < 0 ||
        take_number(&p, "deadline_usec", &t.deadline) < 0 || *p)
        return -EBADMSG;

    /* Exactly what the other end writes: no leading zeros, no second spelling of anything. */
    int n = ticket_format(&t, again, sizeof again);
    if (n < 0 || (size_t)n != length || memcmp(again, text, length) != 0)
        return -EBADMSG;
    *ret = t;
    return 0;
}
