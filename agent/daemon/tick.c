/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/tick.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/clock_rate.h"
#include "daemon/group.h"
#include "daemon/journal.h"
#include "daemon/link.h"
#include "daemon/messages.h"

/* ---- requests ---- */

static usec_t ahead(const struct member *m)
{
    return member_limit(m) / TICK_AHEAD_PART;
}

static bool may_ask(const struct daemon *d)
{
    return d->connected && d->arbiter && d->n_tick == 0 && arbiter_idle(d->arbiter);
}

usec_t tick_due(const struct daemon *d)
{
    usec_t due = USEC_INFINITY;

    if (!may_ask(d))
        return USEC_INFINITY;
    for (size_t i = 0; i < d->n_groups; i++)
        due = usec_min(due, member_due(&d->groups[i]->member));
    return due;
}

static bool between_claim_and_start(const struct member *m)
{
    return m->state == MEMBER_STARTING || m->state == MEMBER_CONFIRMING ||
           (m->in_flight && m->operation == OPERATION_CLAIM);
}

static unsigned starts_under_way(const struct daemon *d)
{
    unsigned n = 0;

    for (size_t i = 0; i < d->n_groups; i++)
        if (between_claim_and_start(&d->groups[i]->member))
            n++;
    return n;
}

static void log_clock(struct daemon *d, bool fit)
{
    struct journal_context c = {.message_id = MESSAGE_CLOCK, .node = d->config->node};

    if (fit == d->fit)
        return;
    d->fit = fit;
    journal_write(fit ? LOG_NOTICE : LOG_ERR, &c, "%s",
                  fit ? "this host's clock can be trusted again" : d->unfit_text);
}

/* Each group counts on the clock from one of its own requests to the next: what was wrong between
 * two requests of another group concerns that group alone. */
static bool clock_fit(struct daemon *d, struct group *g, usec_t now)
{
    char text[RATE_TEXT_MAX];
    enum rate_verdict verdict = rate_judge(&g->drift, &d->clock, text);

    if (verdict == RATE_UNFIT) {
        d->unfit_at = now;
        (void)snprintf(d->unfit_text, sizeof d->unfit_text, "%s", text);
        log_clock(d, false);
    }
    return verdict == RATE_FIT;
}

static bool is_due(const struct member *m, usec_t now)
{
    return member_due(m) <= usec_add(now, ahead(m));
}

/* The tick's time limit is that of its least patient member. When the arbiter is slow, that must
 * not cost the others their replies, too: every other tick is for them alone. */
static usec_t least_limit(const struct daemon *d, usec_t now)
{
    usec_t most = 0;

    for (size_t i = 0; i < d->n_groups && d->patient; i++)
        if (is_due(&d->groups[i]->member, now))
            most = usec_max(most, member_limit(&d->groups[i]->member));
    return most / 2;
}

/* Asks each member what it wants to know. Returns the time limit that suits all of them. */
static usec_t collect(struct daemon *d, struct request *requests, usec_t now)
{
    unsigned starts = starts_under_way(d);
    usec_t limit = USEC_INFINITY, least = least_limit(d, now);

    for (size_t i = 0; i < d->n_groups && d->n_tick < ARBITER_TICK_MAX; i++) {
        struct group *g = d->groups[i];
        struct member_event event = {.type = EVENT_SEND};

        if (!is_due(&g->member, now) || member_limit(&g->member) < least)
            continue;
        event.may_claim = starts < STARTS_MAX && stray_settled(&g->stray, now);
        /* Without random numbers nothing can be claimed or renewed: not in this tick. */
        if (getrandom(event.nonce.bytes, sizeof event.nonce.bytes, GRND_NONBLOCK) !=
            (ssize_t)sizeof event.nonce.bytes)
            continue;
        event.fit = clock_fit(d, g, now);
        if (!group_step(g, &event, &requests[d->n_tick]))
            continue;
        if (requests[d->n_tick].operation == OPERATION_CLAIM)
            starts++;
        limit = usec_min(limit, member_limit(&g->member));
        d->tick[d->n_tick++] = g;
    }
    return limit;
}

static void answer_all_unknown(struct daemon *d)
{
    static const struct reply unknown = {.outcome = OUTCOME_UNKNOWN};
    size_t n = d->confirms ? 0 : d->n_tick;

    d->n_tick = 0;
    d->confirms = false;
    for (size_t i = 0; i < n; i++) {
        struct member_event event = {.type = EVENT_REPLY, .reply = &unknown};

        (void)group_step(d->tick[i], &event, NULL);
    }
}

void tick_abandon(struct daemon *d)
{
    answer_all_unknown(d);
}

void tick_send(struct daemon *d, usec_t now)
{
    static struct request requests[ARBITER_TICK_MAX];

    if (tick_due(d) > now)
        return;
    rate_read(&d->clock);
    /* Each member's time is read when it is asked, so before anything is sent. */
    usec_t limit = collect(d, requests, now);
    if (usec_sub(now, d->unfit_at) >= CLOCK_SETTLED_USEC)
        log_clock(d, true);
    if (d->n_tick == 0)
        return;
    d->sent_at = now;
    d->limit = limit;
    int r = arbiter_send(d->arbiter, requests, d->n_tick, limit);
    if (r < 0) {
        log_error("cannot ask the arbiter: %s", strerror(-r));
        answer_all_unknown(d);
    }
}

/* ---- replies ---- */

/* Tried again and again, logged once for each holder. */
void tick_held_up(struct daemon *d, size_t i, const char *said)
{
    char holder[ARBITER_TEXT_MAX];

    (void)text_clean(said, holder, sizeof holder);

    assert(i < d->n_tick);
    struct group *g = d->tick[i];
    struct journal_context c = {
        .message_id = MESSAGE_HELD_UP, .node = d->config->node, .group = g->config->name};

    c.term = g->member.term.number > 0 ? g->member.term.number : g->member.seen.record.term;
    if (g->held_up_term != c.term || strcmp(g->held_up, holder) != 0)
        journal_write(LOG_WARNING, &c,
                      "%s: this node cannot claim or renew the lease because of %s", c.group,
                      holder);
    (void)snprintf(g->held_up, sizeof g->held_up, "%s", holder);
    g->held_up_term = c.term;
    g->held_up_claim = g->member.operation == OPERATION_CLAIM;
}

/* The first reading of a record does not show when it was renewed; nor does a record that a
 * failover of the database brought back. */
static void note_record(struct group *g, const struct reply *reply, usec_t now)
{
    const struct record *r = &reply->record;
    bool same = g->has_read && g->read_term == r->term && nonce_equal(&g->read_nonce, &r->nonce);
    bool known = g->has_read && history_equal(&g->read_epoch, &reply->epoch);

    if (!same)
        g->changed_at = now;
    if (!same && g->has_read) /* another node could write */
        g->daemon->locked[0] = '\0';
    if (!same && known && r->owner[0] && r->term >= g->read_term) {
        g->renewed_at = now;
        if (r->term == g->read_term)
            g->renewal_at = now;
    }
    g->has_read = true;
    g->read_term = r->term;
    g->read_nonce = r->nonce;
    g->read_epoch = reply->epoch;
    g->record_method = reply->method;
    g->since_term = r->term;
    g->since = r->since;
}

void tick_replies(struct daemon *d, const struct reply *replies, size_t n)
{
    assert(n == d->n_tick);
    d->n_tick = 0;
    /* No reply came in time. */
    if (clock_boottime() >= usec_add(d->sent_at, d->limit))
        d->patient = !d->patient;
    else if (replies[0].outcome != OUTCOME_UNKNOWN)
        d->patient = false;
    for (size_t i = 0; i < n; i++) {
        struct member_event event = {.type = EVENT_REPLY, .reply = &replies[i]};

        if (d->connected && replies[i].outcome != OUTCOME_UNKNOWN)
            link_answered(d);
        if (replies[i].outcome == OUTCOME_GRANTED &&
            d->tick[i]->member.operation != OPERATION_OBSERVE)
            d->locked[0] = d->tick[i]->held_up[0] = '\0';
        if (replies[i].has_record)
            note_record(d->tick[i], &replies[i], clock_boottime());
        (void)group_step(d->tick[i], &event, NULL);
    }
    daemon_wake(d);
}
