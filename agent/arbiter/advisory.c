/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/advisory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"

void advisory_new_session(struct advisory *a)
{
    assert(a);
    for (size_t i = 0; i < a->n; i++) {
        struct advisory_seen *s = &a->seen[i];

        s->held = s->dropped = false;
        s->before = true;
    }
    a->bound = a->asked_bound = 0;
}

void advisory_free(struct advisory *a)
{
    free(a->seen);
    *a = (struct advisory){0};
}

/* ---- groups ---- */

/* Where the group is, or has to be. */
static size_t place(const struct advisory *a, const char *group, bool *ret_found)
{
    size_t low = 0, high = a->n;

    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = strcmp(a->seen[middle].group, group);

        if (c == 0) {
            *ret_found = true;
            return middle;
        }
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct advisory_seen *find(const struct advisory *a, const char *group)
{
    bool found;
    size_t at = place(a, group, &found);

    return found ? &a->seen[at] : NULL;
}

/* Forgets groups that are no longer requested: if one returns, its observation starts over. */
static void forget_unheld(struct advisory *a)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n; i++)
        if (a->seen[i].held)
            a->seen[n++] = a->seen[i];
    a->n = n;
}

static int reserve(struct advisory *a)
{
    if (a->n < a->room)
        return 0;
    if (a->room >= ADVISORY_SEEN_MAX)
        forget_unheld(a);
    if (a->n < a->room)
        return 0;
    if (a->room >= ADVISORY_SEEN_MAX)
        return -ENOMEM;

    size_t room = a->room > 0 ? a->room * 2 : 16;
    struct advisory_seen *more = reallocarray(a->seen, room, sizeof *more);
    if (!more)
        return -ENOMEM;
    a->seen = more;
    a->room = room;
    return 0;
}

static struct advisory_seen *find_or_add(struct advisory *a, const char *group)
{
    bool found;

    if (!find(a, group) && reserve(a) < 0)
        return NULL;
    size_t at = place(a, group, &found);
    if (!found) {
        memmove(&a->seen[at + 1], &a->seen[at], (a->n - at) * sizeof a->seen[0]);
        a->seen[at] = (struct advisory_seen){.since = USEC_INFINITY};
        (void)snprintf(a->seen[at].group, sizeof a->seen[at].group, "%s", group);
        a->n++;
    }
    return &a->seen[at];
}

/* ---- asking ---- */

/* The record was last read in an earlier session, and what happened since is not known. */
static bool gap(const struct advisory_seen *s, usec_t now)
{
    return s->before && usec_sub(now, s->read_at) > s->lease / 2;
}

static usec_t waited(const struct advisory *a, const struct request *q, usec_t now)
{
    const struct advisory_seen *s = find(a, q->group);

    if (q->method != METHOD_ADVISORY || q->operation != OPERATION_CLAIM || !s ||
        s->term != q->expected_term || !nonce_equal(&s->nonce, &q->expected_nonce) ||
        !epoch_equal(&a->epoch, &q->epoch) || gap(s, now))
        return 0;
    return usec_sub(now, s->since);
}

static usec_t bound_of(usec_t lease)
{
    return usec_max(lease - lease / ADVISORY_BOUND_PART, ADVISORY_BOUND_MIN_USEC);
}

/* The shortest L of what is held, or is about to be. 0: nothing. */
static usec_t wanted_bound(const struct advisory *a, const struct request *requests, size_t n)
{
    usec_t bound = USEC_INFINITY;

    for (size_t i = 0; i < a->n; i++)
        if (a->seen[i].held)
            bound = usec_min(bound, bound_of(a->seen[i].lease));
    for (size_t i = 0; i < n; i++) {
        const struct advisory_seen *s = find(a, requests[i].group);

        if (requests[i].method != METHOD_ADVISORY)
            continue;
        if (requests[i].operation == OPERATION_CLAIM)
            bound = usec_min(bound, bound_of(requests[i].lease));
        else if (requests[i].operation == OPERATION_RENEW && !(s && s->held))
            bound = usec_min(bound,
                             s && s->lease > 0 ? bound_of(s->lease) : ADVISORY_BOUND_UNKNOWN_USEC);
    }
    return bound == USEC_INFINITY ? 0 : bound;
}

/* Locks of terms that ended without a release, as an array of PostgreSQL's. */
static char *drop_what_is_over(struct advisory *a, usec_t now)
{
    char *text = NULL;
    size_t length;
    FILE *f = open_memstream(&text, &length);
    const char *before = "";

    if (!f)
        return NULL;
    (void)fputc('{', f);
    for (size_t i = 0; i < a->n; i++) {
        struct advisory_seen *s = &a->seen[i];

        s->dropped = s->held && usec_sub(now, s->acked_at) > s->lease;
        if (!s->dropped)
            continue;
        (void)fprintf(f, "%s\"%s\"", before, s->group);
        before = ",";
    }
    (void)fputc('}', f);

    bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

int advisory_ask(struct advisory *a, const struct request *requests, size_t n, usec_t now,
                 struct tick_extra *ret)
{
    assert(a);
    assert(requests);
    assert(ret);

    *ret = (struct tick_extra){.waited = calloc(n, sizeof *ret->waited),
                               .drop = drop_what_is_over(a, now)};
    if (!ret->waited || !ret->drop)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        ret->waited[i] = waited(a, &requests[i], now);
    a->asked_bound = wanted_bound(a, requests, n);
    ret->sets_bound = a->asked_bound != a->bound;
    ret->bound_msec = a->asked_bound / USEC_PER_MSEC;
    return 0;
}

/* ---- replies ---- */

static void take(struct advisory_seen *s, const struct request *q, const struct reply *reply,
                 usec_t now)
{
    const struct record *r = &reply->record;

    if (reply->has_record) {
        if (s->since == USEC_INFINITY || s->term != r->term || !nonce_equal(&s->nonce, &r->nonce) ||
            gap(s, now))
            s->since = now;
        s->read_at = now;
        s->before = false;
        s->term = r->term;
        s->nonce = r->nonce;
        s->lease = r->lease;
    }
    if (reply->outcome == OUTCOME_GRANTED &&
        (q->operation == OPERATION_CLAIM || q->operation == OPERATION_RENEW))
        s->acked_at = now;
}

int advisory_take(struct advisory *a, const struct request *requests, const struct reply *replies,
                  const bool *held, size_t n, usec_t now)
{
    assert(a);
    assert(n > 0);

    for (size_t i = 0; i < a->n; i++)
        if (a->seen[i].dropped)
            a->seen[i].held = a->seen[i].dropped = false;
    if (!epoch_equal(&a->epoch, &replies[0].epoch))
        a->n = 0; /* another history or life: what was seen and held before is of no use */
    a->epoch = replies[0].epoch;
    a->bound = a->asked_bound;
    for (size_t i = 0; i < n; i++) {
        if (requests[i].method != METHOD_ADVISORY)
            continue;
        struct advisory_seen *s = find_or_add(a, requests[i].group);

        if (!s)
            return -ENOMEM;
        if (held[i] && !s->held)
            s->acked_at = now; /* by a reply that was in doubt */
        s->held = held[i];
        take(s, &requests[i], &replies[i], now);
    }
    return 0;
}
