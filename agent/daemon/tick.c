/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/daemon.h"
#include "daemon/journal.h"
#include "daemon/messages.h"

/* ---- asking ---- */

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

static void tell_clock(struct daemon *d, bool fit)
{
    struct journal_context c = {.message_id = MESSAGE_CLOCK, .node = d->config->node};

    if (fit == d->fit)
        return;
    d->fit = fit;
    journal_write(fit ? LOG_NOTICE : LOG_ERR, &c, "%s",
                  fit ? "this host's clock can be trusted again" : d->unfit_text);
}

/* Each group counts on the clock from one of its own requests to the next: what was wrong between
 * two of another's is told to that one alone. */
static bool clock_fit(struct daemon *d, struct group *s, usec_t now)
{
    char text[RATE_TEXT_MAX];
    enum rate_verdict verdict = rate_judge(&s->drift, &d->clock, text);

    if (verdict == RATE_UNFIT) {
        d->unfit_at = now;
        (void)snprintf(d->unfit_text, sizeof d->unfit_text, "%s", text);
        tell_clock(d, false);
    }
    return verdict == RATE_FIT;
}

static bool is_due(const struct member *m, usec_t now)
{
    return member_due(m) <= usec_add(now, ahead(m));
}

/* The tick's time limit is that of its least patient member. When the arbiter is slow, that must
 * not cost the others their answer too: every other tick is for them alone. */
static usec_t least_limit(const struct daemon *d, usec_t now)
{
    usec_t most = 0;

    for (size_t i = 0; i < d->n_groups && d->patient; i++)
        if (is_due(&d->groups[i]->member, now))
            most = usec_max(most, member_limit(&d->groups[i]->member));
    return most / 2;
}

/* Asks each seat what it wants to know. Returns the time limit that suits all of them. */
static usec_t collect(struct daemon *d, struct request *requests, usec_t now)
{
    unsigned starts = starts_under_way(d);
    usec_t limit = USEC_INFINITY, least = least_limit(d, now);

    for (size_t i = 0; i < d->n_groups && d->n_tick < ARBITER_TICK_MAX; i++) {
        struct group *s = d->groups[i];
        struct member_event event = {.type = EVENT_SEND};

        if (!is_due(&s->member, now) || member_limit(&s->member) < least)
            continue;
        event.may_claim = starts < STARTS_MAX && stray_settled(&s->stray, now);
        /* Without random numbers nothing can be claimed or renewed: not in this tick. */
        if (getrandom(event.nonce.bytes, sizeof event.nonce.bytes, GRND_NONBLOCK) !=
            (ssize_t)sizeof event.nonce.bytes)
            continue;
        event.fit = clock_fit(d, s, now);
        if (!group_step(s, &event, &requests[d->n_tick]))
            continue;
        if (requests[d->n_tick].operation == OPERATION_CLAIM)
            starts++;
        limit = usec_min(limit, member_limit(&s->member));
        d->tick[d->n_tick++] = s;
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
    /* Each seat reads its clock when it is asked, so before anything is sent. */
    usec_t limit = collect(d, requests, now);
    if (usec_sub(now, d->unfit_at) >= CLOCK_SETTLED_USEC)
        tell_clock(d, true);
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

/* ---- answers ---- */

/* What the arbiter says passes text_clean() in the functions below, and is kept as that leaves it.
 */

/* Tried again and again, said once for each holder. */
static void on_held_up(void *userdata, size_t i, const char *said)
{
    struct daemon *d = userdata;
    char holder[ARBITER_TEXT_MAX];

    (void)text_clean(said, holder, sizeof holder);

    if (d->confirms) {
        confirm_held_up(d, i, holder);
        return;
    }
    assert(i < d->n_tick);
    struct group *s = d->tick[i];
    struct journal_context c = {
        .message_id = MESSAGE_HELD_UP, .node = d->config->node, .group = s->group->name};

    c.term = s->member.term > 0 ? s->member.term : s->member.record.term;
    if (s->held_up_term != c.term || strcmp(s->held_up, holder) != 0)
        journal_write(LOG_WARNING, &c,
                      "%s: this node cannot claim or renew the lease because of %s", c.group,
                      holder);
    (void)snprintf(s->held_up, sizeof s->held_up, "%s", holder);
    s->held_up_term = c.term;
    s->held_up_claim = s->member.operation == OPERATION_CLAIM;
}

/* Said once for each holder. What cannot be read cannot be written either, by anybody. */
static void on_locked(void *userdata, const char *said)
{
    struct daemon *d = userdata;
    char holder[ARBITER_TEXT_MAX];
    struct journal_context c = {
        .message_id = MESSAGE_ARBITER_NOTICE, .node = d->config->node, .reason = holder};

    (void)text_clean(said ? said : "", holder, sizeof holder);
    if (holder[0] && strcmp(d->locked_told, holder) != 0) {
        journal_write(LOG_WARNING, &c, "this node can claim and renew nothing: %s", holder);
        (void)snprintf(d->locked_told, sizeof d->locked_told, "%s", holder);
    }
    if (!holder[0] && d->connected) /* over; without a connection it is only not known */
        d->locked_told[0] = '\0';
    (void)snprintf(d->locked, sizeof d->locked, "%s", holder);
    daemon_wake(d); /* the arbiter may be idle only now */
}

static bool connection_lasts(const struct daemon *d)
{
    return d->connected && usec_sub(clock_boottime(), d->connected_at) >= CONNECTION_LASTS_USEC;
}

/* With its first answer: some troubles (grants that are missing, say) let an agent log in, and show
 * when it asks for something. */
static void tell_connected(struct daemon *d)
{
    struct journal_context c = {.message_id = MESSAGE_ARBITER_CONNECTED, .node = d->config->node};
    bool lasts = connection_lasts(d);

    if (!d->connect_told && (!d->flaps || lasts)) {
        d->connect_told = true;
        journal_write(LOG_INFO, &c, "connected to the arbiter: %s", d->arbiter_text);
    }
    if (lasts) {
        d->lost_told[0] = '\0';
        d->flaps = false;
    }
}

/* The first reading of a record says nothing of when that was renewed; nor does one that a failover
 * of the database brought back. */
static void note_record(struct group *s, const struct reply *reply, usec_t now)
{
    const struct record *r = &reply->record;
    bool same = s->has_read && s->read_term == r->term && nonce_equal(&s->read_nonce, &r->nonce);
    bool known = s->has_read && history_equal(&s->read_epoch, &reply->epoch);

    if (!same)
        s->changed_at = now;
    if (!same && s->has_read) /* somebody could write */
        s->daemon->locked[0] = '\0';
    if (!same && known && r->owner[0] && r->term >= s->read_term) {
        s->renewed_at = now;
        if (r->term == s->read_term)
            s->renewal_at = now;
    }
    s->has_read = true;
    s->read_term = r->term;
    s->read_nonce = r->nonce;
    s->read_epoch = reply->epoch;
    s->record_method = reply->method;
    s->since_term = r->term;
    s->since = r->since;
}

static void on_replies(void *userdata, const struct reply *replies, size_t n)
{
    struct daemon *d = userdata;

    if (d->confirms) {
        confirm_replies(d, replies, n);
        return;
    }
    assert(n == d->n_tick);
    d->n_tick = 0;
    /* Nobody got an answer in time. */
    if (clock_boottime() >= usec_add(d->sent_at, d->limit))
        d->patient = !d->patient;
    else if (replies[0].outcome != OUTCOME_UNKNOWN)
        d->patient = false;
    for (size_t i = 0; i < n; i++) {
        struct member_event event = {.type = EVENT_REPLY, .reply = &replies[i]};

        if (d->connected && replies[i].outcome != OUTCOME_UNKNOWN)
            tell_connected(d);
        if (replies[i].outcome == OUTCOME_GRANTED &&
            d->tick[i]->member.operation != OPERATION_OBSERVE)
            d->locked[0] = d->tick[i]->held_up[0] = '\0';
        if (replies[i].has_record)
            note_record(d->tick[i], &replies[i], clock_boottime());
        (void)group_step(d->tick[i], &event, NULL);
    }
    daemon_wake(d);
}

static void on_connected(void *userdata, const char *text)
{
    struct daemon *d = userdata;

    d->connected = d->arbiter_tried = true;
    d->connected_at = clock_boottime();
    d->connect_told = false;
    (void)text_clean(text, d->arbiter_text, sizeof d->arbiter_text);
    if (d->n_groups == 0)
        tell_connected(d); /* there is nothing to ask it */
    for (size_t i = 0; i < d->n_groups; i++)
        group_event(d->groups[i], EVENT_CONNECTED);
    daemon_wake(d);
}

static void on_lost(void *userdata, const char *said)
{
    struct daemon *d = userdata;
    char text[ARBITER_TEXT_MAX];
    struct journal_context c = {
        .message_id = MESSAGE_ARBITER_LOST, .node = d->config->node, .reason = text};

    (void)text_clean(said, text, sizeof text);
    /* Tried again and again, said once. */
    if (strcmp(d->lost_told, text) == 0 && !connection_lasts(d))
        d->flaps = d->flaps || d->connected;
    else {
        journal_write(LOG_WARNING, &c, "the arbiter cannot be reached: %s", text);
        (void)snprintf(d->lost_told, sizeof d->lost_told, "%s", text);
        d->flaps = false;
    }
    d->connected = false;
    d->arbiter_tried = true;
    (void)snprintf(d->arbiter_text, sizeof d->arbiter_text, "%s", text);
    daemon_wake(d);
}

static void on_alarm(void *userdata, const char *said)
{
    struct daemon *d = userdata;
    char text[ARBITER_TEXT_MAX];
    struct journal_context c = {
        .message_id = MESSAGE_ARBITER_ALARM, .node = d->config->node, .reason = text};

    (void)text_clean(said, text, sizeof text);
    journal_write(LOG_ALERT, &c, "the arbiter: %s", text);
}

static void on_hint(void *userdata, const char *group, const struct release_notice *told)
{
    struct daemon *d = userdata;
    struct group *s = group ? daemon_group(d, group) : NULL;
    struct member_event event = {.type = EVENT_HINT, .told = told};

    if (s)
        (void)group_step(s, &event, NULL);
    for (size_t i = 0; i < d->n_groups && !group; i++)
        group_event(d->groups[i], EVENT_HINT);
}

static void on_notice(void *userdata, const char *said)
{
    struct daemon *d = userdata;
    char text[ARBITER_TEXT_MAX];
    struct journal_context c = {.message_id = MESSAGE_ARBITER_NOTICE, .node = d->config->node};

    (void)text_clean(said, text, sizeof text);
    journal_write(LOG_WARNING, &c, "arbiter: %s", text);
}

const struct arbiter_handler daemon_arbiter_handler = {
    .replies = on_replies,
    .held_up = on_held_up,
    .locked = on_locked,
    .connected = on_connected,
    .lost = on_lost,
    .alarm = on_alarm,
    .hint = on_hint,
    .notice = on_notice,
};
