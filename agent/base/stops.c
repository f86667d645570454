/* SPDX-License-Identifier: Apache-2.0 */
#include "base/stops.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define FIRST_LINE "tenure-stops 1\n"
#define TERM_KEY "term="

const char *stops_word(enum stops stops)
{
    switch (stops) {
    case STOPS_UNKNOWN:
        return "unknown";
    case STOPS_NONE:
        return "none";
    case STOPS_OPEN:
        return "open";
    case STOPS_GONE:
        return "gone";
    case STOPS_LEFT:
        return "left";
    }
    return "?";
}

int stops_head_format(uint64_t term, enum stops stops, char *ret, size_t size)
{
    assert(ret);

    if (stops <= STOPS_UNKNOWN || stops > STOPS_LEFT || term == 0 || term > INT64_MAX)
        return -EINVAL;
    int n =
        snprintf(ret, size, FIRST_LINE TERM_KEY "%" PRIu64 "\nstops=%s\n", term, stops_word(stops));
    return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

/* Exactly what the other end writes: compared with each word that there is. */
int stops_head_parse(const char *text, size_t length, uint64_t *ret_term, enum stops *ret)
{
    assert(text);
    assert(ret_term);
    assert(ret);

    const size_t key = strlen(FIRST_LINE TERM_KEY);
    char copy[STOPS_HEAD_MAX], head[STOPS_HEAD_MAX];
    uint64_t term;

    if (length >= sizeof copy)
        length = sizeof copy - 1;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *end = strlen(copy) > key ? strchr(copy + key, '\n') : NULL;
    if (!end)
        return -EBADMSG;
    *end = '\0';
    if (parse_u64(copy + key, &term) < 0)
        return -EBADMSG;
    *end = '\n';
    for (int s = STOPS_NONE; s <= STOPS_LEFT; s++) {
        int n = stops_head_format(term, (enum stops)s, head, sizeof head);

        if (n < 0 || strncmp(copy, head, (size_t)n) != 0)
            continue;
        *ret_term = term;
        *ret = (enum stops)s;
        return n;
    }
    return -EBADMSG;
}
