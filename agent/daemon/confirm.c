/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/confirm.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/group.h"
#include "daemon/journal.h"
#include "daemon/messages.h"

static_assert(CONFIG_GROUPS_MAX <= ARBITER_TICK_MAX, "all groups fit into one tick");

/* How often the records are observed, and how soon a record that another session has locked is
 * tried again. */
#define OBSERVE_INTERVAL_USEC (1 * USEC_PER_SEC)
#define ASK_AGAIN_USEC (500 * USEC_PER_MSEC)

/* Replies that are still to come are dropped: the groups may be gone by then. */
static void end(struct daemon *d)
{
    if (d->confirms)
        d->n_tick = 0;
    d->confirming = (struct confirming){.call = NULL};
    daemon_wake(d);
}

static size_t count(const struct daemon *d, enum confirm_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_groups; i++)
        n += d->groups[i]->confirm.state == state;
    return n;
}

static const struct group *first(const struct daemon *d, enum confirm_state state)
{
    for (size_t i = 0; i < d->n_groups; i++)
        if (d->groups[i]->confirm.state == state)
            return d->groups[i];
    return NULL;
}

static bool is_done(const struct group *g)
{
    return g->confirm.state == CONFIRM_DONE;
}

/* Asked for, and no reply has said what became of it, nor that another session has it locked. */
static bool may_be_done(const struct group *g)
{
    return g->confirm.state == CONFIRM_STILL && g->confirm.asked &&
           (!g->confirm_note[0] || g->daemon->confirms);
}

static void add_groups(const struct daemon *d, bool (*is)(const struct group *g), const char *what,
                       char text[static REASON_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_groups; i++) {
        size_t used = strlen(text);

        if (is(d->groups[i]))
            (void)snprintf(text + used, REASON_MAX - used, "%s \"%s\"", n++ == 0 ? what : ",",
                           d->groups[i]->config->name);
    }
}

static void fail(struct daemon *d, const char *error_name, char text[static REASON_MAX])
{
    /* Each group is decided by itself. */
    add_groups(d, is_done, ". Done before that, for", text);
    add_groups(d, may_be_done, ". It may have been done (see tenurectl status), for", text);
    log_warning("\"%s\" is not confirmed dead: %s", d->confirming.node, text);
    api_call_failed(d->confirming.call, error_name, text);
    end(d);
}

static void fail_by(struct daemon *d, const char *error_name, const char *why)
{
    char text[REASON_MAX];

    (void)snprintf(text, sizeof text, "%s", why);
    fail(d, error_name, text);
}

void confirm_abandon(struct daemon *d, const char *why)
{
    if (d->confirming.call)
        fail_by(d, API_ERROR_BUSY, why);
}

void confirm_caller_gone(struct daemon *d, const struct api_call *call)
{
    if (d->confirming.call == call && !d->confirming.asks)
        confirm_abandon(d, "the caller has gone away while the records were watched");
}

static void succeed(struct daemon *d, usec_t now)
{
    size_t n = 0;
    _cleanup_free_ struct api_confirmed *done =
        calloc(d->n_groups > 0 ? d->n_groups : 1, sizeof *done);

    for (size_t i = 0; done && i < d->n_groups; i++) {
        const struct group *g = d->groups[i];

        if (g->confirm.state == CONFIRM_DONE)
            done[n++] = (struct api_confirmed){
                .group = g->config->name,
                .term = g->confirm.record.term,
                .lease = g->confirm.record.lease,
                .runs = usec_sub(g->confirm_runs_until, now),
                .note = g->confirm_note,
            };
    }
    if (done)
        api_call_confirmed(d->confirming.call, done, n);
    else
        api_call_failed(d->confirming.call, API_ERROR_FAILED, "out of memory");
    end(d);
}

/* ---- beginning ---- */

/* NULL: nothing is in the way. */
static const char *refusal(const struct daemon *d, const char *node, const char **ret_text)
{
    if (d->confirming.call || d->drain != DRAIN_NONE) {
        *ret_text = d->confirming.call ? "another ConfirmDead is under way"
                                       : "a Reload or Retire is under way, or the agent's end";
        return API_ERROR_BUSY;
    }
    if (!d->config || !d->arbiter) {
        *ret_text = "no configuration is applied here";
        return API_ERROR_FAILED;
    }
    if (strcmp(node, d->config->node) == 0) {
        *ret_text = "this is that node: do it on another host, or step down with systemctl stop "
                    "tenured";
        return API_ERROR_REFUSED;
    }
    if (!d->connected) {
        *ret_text = "the arbiter cannot be reached";
        return API_ERROR_FAILED;
    }
    return NULL;
}

void confirm_start(struct daemon *d, struct api_call *call, const char *node, uid_t uid)
{
    struct confirming *c = &d->confirming;
    const char *text, *error_name = refusal(d, node, &text);

    if (error_name) {
        api_call_failed(call, error_name, text);
        return;
    }
    *c = (struct confirming){.call = call, .uid = uid, .due = clock_boottime()};
    (void)snprintf(c->node, sizeof c->node, "%s", node);
    c->until = usec_add(c->due, CONFIRM_WATCH_MAX_USEC);
    for (size_t i = 0; i < d->n_groups; i++) {
        confirm_begin(&d->groups[i]->confirm, node);
        d->groups[i]->confirm_note[0] = '\0';
    }
    if (d->n_groups == 0)
        succeed(d, c->due);
    daemon_wake(d);
}

/* ---- asking ---- */

usec_t confirm_due(const struct daemon *d)
{
    const struct confirming *c = &d->confirming;

    if (!c->call)
        return USEC_INFINITY;
    return d->confirms || !d->connected || !arbiter_idle(d->arbiter) ? c->until
                                                                     : usec_min(c->due, c->until);
}

static void observe(const struct group *g, struct request *ret)
{
    const struct budget *b = &g->config->budget;

    *ret = (struct request){.operation = OPERATION_OBSERVE,
                            .lease = b->lease,
                            .stop = b->stop,
                            .duration = b->duration};
}

/* After the first observation only of those that are watched: what this host leads shares the
 * connection. Returns false if there is nothing to ask about this one. */
static bool question(struct daemon *d, struct group *g, struct request *ret)
{
    struct confirm *c = &g->confirm;
    struct nonce nonce;

    if (!d->confirming.asks) {
        observe(g, ret);
        return c->state == CONFIRM_UNREAD || c->state == CONFIRM_WATCHING ||
               c->state == CONFIRM_STILL;
    }
    return c->state == CONFIRM_STILL &&
           getrandom(nonce.bytes, sizeof nonce.bytes, GRND_NONBLOCK) ==
               (ssize_t)sizeof nonce.bytes &&
           confirm_ask(c, g->config->budget.lease, member_term_floor(&g->member), &nonce, ret);
}

static size_t collect(struct daemon *d, struct request *requests, usec_t *ret_limit)
{
    *ret_limit = USEC_INFINITY;
    d->n_tick = 0;
    for (size_t i = 0; i < d->n_groups; i++) {
        struct group *g = d->groups[i];
        struct request *q = &requests[d->n_tick];

        /* The connection is closed when there is no answer: a leader must not wait longer. */
        *ret_limit = usec_min(*ret_limit, member_limit(&g->member));
        if (!question(d, g, q))
            continue;
        q->group = g->config->name;
        q->method = g->config->method;
        d->tick[d->n_tick++] = g;
    }
    return d->n_tick;
}

static void send_questions(struct daemon *d, usec_t now)
{
    static struct request requests[ARBITER_TICK_MAX];
    usec_t limit;
    size_t n = collect(d, requests, &limit);

    d->confirming.due = usec_add(now, d->confirming.asks ? ASK_AGAIN_USEC : OBSERVE_INTERVAL_USEC);
    d->sent_at = clock_boottime();
    d->limit = limit;
    if (n > 0 && arbiter_send(d->arbiter, requests, n, limit) >= 0)
        d->confirms = true;
    else
        d->n_tick = 0;
}

/* ---- what came of it ---- */

void confirm_held_up(struct daemon *d, size_t i, const char *holder)
{
    struct group *g = i < d->n_tick ? d->tick[i] : NULL;

    if (!g)
        return;
    (void)text_clean(holder, g->confirm_note, sizeof g->confirm_note);
    g->confirm_noted = true;
}

static void log_done(const struct daemon *d, const struct group *g)
{
    const struct record *r = &g->confirm.record;
    struct journal_context c = {.message_id = MESSAGE_CONFIRMED,
                                .node = d->config->node,
                                .group = g->config->name,
                                .term = r->term,
                                .reason = d->confirming.node};

    journal_write(LOG_WARNING, &c,
                  "%s: user %u vouches that \"%s\" is dead: term %" PRIu64
                  " is nobody's, and the group is led elsewhere when its lease of %" PRIu64
                  " ms has expired%s%s",
                  c.group, (unsigned)d->confirming.uid, d->confirming.node, r->term,
                  r->lease / USEC_PER_MSEC, g->confirm_note[0] ? "; " : "", g->confirm_note);
}

/* For how long units may run there, by the record that was watched: seen first when the watch
 * began, or by this host's member. */
static void remember_runs(struct group *g, const struct record *before, usec_t since)
{
    const struct member *m = &g->member;

    if (m->seen.valid && m->seen.record.term == before->term &&
        nonce_equal(&m->seen.record.nonce, &before->nonce))
        since = usec_min(since, m->seen.since);
    g->confirm_runs_until = confirm_runs_until(before, since);
}

static void take(struct daemon *d, struct group *g, const struct reply *reply, usec_t now)
{
    struct confirm *c = &g->confirm;
    struct record before = c->record;
    usec_t since = c->since;

    if (!g->confirm_noted)
        g->confirm_note[0] = '\0'; /* of an earlier try */
    g->confirm_noted = false;
    if (!d->confirming.asks) {
        confirm_read(c, reply, d->sent_at, now);
        return;
    }
    confirm_answer(c, reply, d->sent_at, now);
    if (c->state == CONFIRM_DONE) {
        remember_runs(g, &before, since);
        log_done(d, g);
        /* From now on the lease is watched: not only from this member's next poll on, which may
         * come after the first one of the node that was confirmed dead, should it live. */
        group_event(g, EVENT_HINT);
    }
}

/* The server was started again since this record was found not to be the node's: what is there now
 * is not known. */
static void read_again(struct daemon *d, const struct epoch *epoch)
{
    for (size_t i = 0; i < d->n_groups; i++) {
        struct confirm *c = &d->groups[i]->confirm;

        if (c->state == CONFIRM_FREE && !epoch_equal(&c->epoch, epoch))
            confirm_begin(c, d->confirming.node);
    }
}

void confirm_replies(struct daemon *d, const struct reply *replies, size_t n)
{
    usec_t now = clock_boottime();

    assert(n == d->n_tick || d->n_tick == 0);
    n = d->n_tick;
    d->confirms = false;
    d->n_tick = 0;
    for (size_t i = 0; i < n; i++)
        take(d, d->tick[i], &replies[i], now);
    if (n > 0 && replies[0].has_record)
        read_again(d, &replies[0].epoch);
    /* The connection is closed. The next one, with the patience of the group that has least, is not
     * for observing alone: groups that have more get their replies in between. */
    if (n > 0 && !d->confirming.asks && now >= usec_add(d->sent_at, d->limit))
        d->confirming.due = usec_max(d->confirming.due, usec_add(now, OBSERVE_INTERVAL_USEC));
    d->confirming.answered = n > 0;
    daemon_wake(d);
}

static void fail_alive(struct daemon *d, const struct group *g)
{
    char text[REASON_MAX];

    (void)snprintf(text, sizeof text,
                   "it lives: the record of group \"%s\" was written in its name while it was "
                   "watched",
                   g->config->name);
    fail(d, API_ERROR_REFUSED, text);
}

static void fail_late(struct daemon *d)
{
    const struct group *g = first(d, CONFIRM_STILL);
    struct budget b;
    char text[REASON_MAX];

    if (!d->connected)
        (void)snprintf(text, sizeof text, "the arbiter cannot be reached: %.*s", REASON_MAX / 2,
                       d->arbiter_text);
    else if (!d->confirming.asks)
        (void)snprintf(text, sizeof text,
                       "the arbiter did not answer well enough for the records to be watched for "
                       "%u s in one piece",
                       (unsigned)(CONFIRM_WATCH_USEC / USEC_PER_SEC));
    else if (g && g->confirm_note[0])
        (void)snprintf(text, sizeof text, "what has the record of group \"%s\" locked: %.*s",
                       g->config->name, REASON_MAX / 2, g->confirm_note);
    else if (g && budget_compute(confirm_lease(&g->confirm.record, g->config->budget.lease),
                                 g->confirm.record.stop, &b) < 0)
        (void)snprintf(text, sizeof text,
                       "no lease that this version knows goes with the lease of %" PRIu64
                       " s and the stop timeout of %" PRIu64 " s in the record of group \"%s\"",
                       g->confirm.record.lease / USEC_PER_SEC,
                       g->confirm.record.stop / USEC_PER_SEC, g->config->name);
    else
        (void)snprintf(text, sizeof text, "the arbiter did not say what became of it: try again");
    fail(d, API_ERROR_FAILED, text);
}

/* One whose record is on a primary that was replaced; NULL: none. */
static const struct group *replaced(const struct daemon *d)
{
    for (size_t i = 0; i < d->n_groups; i++)
        if (d->groups[i]->confirm.state == CONFIRM_STILL &&
            member_replaced_by(&d->groups[i]->member) > 0)
            return d->groups[i];
    return NULL;
}

/* What is next, once all have been read, or asked. */
static void go_on(struct daemon *d, usec_t now)
{
    struct confirming *c = &d->confirming;
    size_t open = count(d, CONFIRM_WATCHING) + count(d, CONFIRM_UNREAD);

    if (open > 0) {
        if (c->asks) /* from the beginning, after a restart of the server */
            c->until = usec_add(now, CONFIRM_WATCH_MAX_USEC);
        c->asks = false;
        return;
    }
    if (replaced(d))
        fail_by(d, API_ERROR_FAILED, "the arbiter is a primary that was replaced");
    else if (count(d, CONFIRM_STILL) == 0)
        succeed(d, now);
    else if (!c->asks) {
        c->asks = true;
        c->due = now;
        c->until = usec_add(now, CONFIRM_WAIT_USEC);
    }
}

void confirm_continue(struct daemon *d, usec_t now)
{
    struct confirming *c = &d->confirming;
    const struct group *alive = c->call ? first(d, CONFIRM_ALIVE) : NULL;

    if (!c->call)
        return;
    if (alive) {
        fail_alive(d, alive);
        return;
    }
    if (!d->fit) {
        fail_by(d, API_ERROR_FAILED, "this host's clock cannot be trusted");
        return;
    }
    if (c->answered)
        go_on(d, now);
    if (!c->call)
        return;
    c->answered = false;
    if (now >= c->until || (c->asks && !d->connected))
        fail_late(d);
    else if (confirm_due(d) <= now)
        send_questions(d, now);
}
