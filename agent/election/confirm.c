/* SPDX-License-Identifier: Apache-2.0 */
#include "election/confirm.h"

#include <assert.h>
#include <string.h>

bool confirm_is_of(const char *owner, const char *node)
{
    size_t length = strlen(node);

    return length > 0 && strncmp(owner, node, length) == 0 && owner[length] == '/';
}

void confirm_begin(struct confirm *c, const char *node)
{
    assert(c);
    assert(node);
    assert(strlen(node) <= NODE_NAME_MAX);

    *c = (struct confirm){.state = CONFIRM_UNREAD};
    memcpy(c->node, node, strlen(node) + 1);
}

/* A record that is clean belongs to no node, whichever node released it. */
static bool is_the_nodes(const struct confirm *c, const struct record *r)
{
    return !r->clean && confirm_is_of(r->owner, c->node);
}

static void begin_watching(struct confirm *c, const struct reply *reply, usec_t now)
{
    c->record = reply->record;
    c->epoch = reply->epoch;
    c->since = c->read_at = now;
    c->asked = false;
}

/* In one life of the server, where nothing that was written is lost: only the node itself writes
 * in its name. */
static enum confirm_state changed(const struct confirm *c, const struct record *r)
{
    bool released = r->clean && r->term == c->record.term;

    return released || confirm_is_of(r->owner, c->node) ? CONFIRM_ALIVE : CONFIRM_TAKEN;
}

static void watch_on(struct confirm *c, const struct reply *reply, usec_t sent_at, usec_t now)
{
    const struct record *r = &reply->record;
    bool same =
        is_the_nodes(c, r) && r->term == c->record.term && nonce_equal(&r->nonce, &c->record.nonce);

    if (!same) {
        c->state = changed(c, r);
        c->record = *r;
        return;
    }
    if (usec_sub(now, c->read_at) > CONFIRM_GAP_USEC)
        c->since = now;
    c->read_at = now;
    if (usec_sub(sent_at, c->since) >= CONFIRM_WATCH_USEC)
        c->state = CONFIRM_STILL;
}

void confirm_read(struct confirm *c, const struct reply *reply, usec_t sent_at, usec_t now)
{
    assert(c);
    assert(reply);

    const struct record *r = &reply->record;

    if (!reply->has_record || c->state == CONFIRM_ALIVE || c->state == CONFIRM_TAKEN ||
        c->state == CONFIRM_DONE)
        return;
    /* What another life of the server shows is the first that was seen of it. */
    if (c->state == CONFIRM_UNREAD || !epoch_equal(&c->epoch, &reply->epoch)) {
        begin_watching(c, reply, now);
        c->state = is_the_nodes(c, r) ? CONFIRM_WATCHING : CONFIRM_FREE;
        return;
    }
    if (c->state == CONFIRM_FREE) {
        if (is_the_nodes(c, r))
            c->state = CONFIRM_ALIVE; /* claimed while it was watched */
        return;
    }
    watch_on(c, reply, sent_at, now);
}

usec_t confirm_lease(const struct record *r, usec_t configured)
{
    return usec_max(r->lease, usec_max(configured, budget_smallest_lease(r->stop)));
}

bool confirm_ask(struct confirm *c, usec_t configured, uint64_t floor, const struct nonce *nonce,
                 struct request *ret)
{
    struct budget b;

    assert(c);
    assert(c->state == CONFIRM_STILL);

    const struct record *r = &c->record;

    if (budget_compute(confirm_lease(r, configured), r->stop, &b) < 0)
        return false;
    if (!c->asked)
        c->fresh = *nonce;
    c->asked = true;
    *ret = (struct request){
        .operation = OPERATION_CONFIRM_DEAD,
        .expected_term = r->term,
        .expected_nonce = r->nonce,
        .fresh_nonce = c->fresh,
        .epoch = c->epoch,
        .term_floor = floor,
        .lease = b.lease,
        .stop = b.stop,
        .duration = b.duration,
    };
    return true;
}

void confirm_answer(struct confirm *c, const struct reply *reply, usec_t sent_at, usec_t now)
{
    assert(c);
    assert(reply);

    const struct record *r = &reply->record;

    if (reply->outcome == OUTCOME_UNKNOWN || !reply->has_record || c->state != CONFIRM_STILL)
        return;
    /* Also refused, because an earlier try of unknown outcome had done it. */
    if (c->asked && nonce_equal(&r->nonce, &c->fresh)) {
        c->state = CONFIRM_DONE;
        c->record = *r;
        return;
    }
    confirm_read(c, reply, sent_at, now);
}

/* The K of a keeper that was begun with a longer lease than the record has by now is larger than
 * this lease's; the record covers it, so it is within what this one leaves. */
static usec_t largest_kill(const struct record *r)
{
    usec_t room = budget_room(usec_min(r->lease, BUDGET_LEASE_MAX_USEC),
                              usec_min(r->stop, BUDGET_STOP_MAX_USEC),
                              usec_min(r->duration, BUDGET_LEASE_MAX_USEC));

    return usec_max(budget_kill(r->lease), room);
}

/* What this host's clock may show, fast, while the keeper's, slow, shows span: rounded up. */
static usec_t with_drift(usec_t span)
{
    usec_t slow = BUDGET_CLOCK_RATE_DIVISOR - 1, rest = span % slow;

    return usec_add(span, span / slow * 2 + (rest * 2 + slow - 1) / slow);
}

usec_t confirm_runs_until(const struct record *r, usec_t seen)
{
    usec_t spent = usec_add(r->duration, usec_add(r->stop, BUDGET_SLACK_USEC));

    return usec_add(seen, with_drift(usec_add(spent, largest_kill(r))));
}
