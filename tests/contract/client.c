/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "known.h"

#define AWAIT_USEC (10 * USEC_PER_SEC)

enum method client_method = METHOD_LEASE;
usec_t client_lease = 15 * USEC_PER_SEC;

struct client *a, *b;

/* ---- what the arbiter says ---- */

static void on_replies(void *userdata, const struct reply *replies, size_t n)
{
    struct client *c = userdata;

    ck_assert_msg(!c->in_send, "replies came from within arbiter_send");
    ck_assert_uint_le(n, ARBITER_TICK_MAX);
    memcpy(c->replies, replies, n * sizeof *replies);
    c->n = n;
    c->answers++;
    for (size_t i = 0; i < n; i++)
        known_answered(c->groups[i], &replies[i]);
    if (c->on_replies)
        c->on_replies(c);
}

static void on_connected(void *userdata, const char *text)
{
    struct client *c = userdata;

    ck_assert(!c->in_send);
    ck_assert_ptr_null(strchr(text, '\n'));
    (void)snprintf(c->connected, sizeof c->connected, "%s", text);
    c->connects++;
}

static void on_lost(void *userdata, const char *text)
{
    struct client *c = userdata;
    size_t used = strlen(c->losses_text);

    ck_assert(!c->in_send);
    ck_assert_ptr_null(strchr(text, '\n'));
    ck_assert(*text);
    ck_assert(!arbiter_idle(c->arbiter));
    (void)snprintf(c->lost, sizeof c->lost, "%s", text);
    (void)snprintf(c->losses_text + used, sizeof c->losses_text - used, "%s\n", text);
    c->losses++;
}

static void on_hint(void *userdata, const char *group, const struct release_notice *release)
{
    struct client *c = userdata;

    (void)snprintf(c->hint, sizeof c->hint, "%s", group ? group : "");
    c->release = release ? *release : (struct release_notice){0};
    c->hints++;
}

static void on_notice(void *userdata, const char *text)
{
    struct client *c = userdata;

    ck_assert_ptr_null(strchr(text, '\n'));
    (void)snprintf(c->notice, sizeof c->notice, "%s", text);
    c->notices++;
}

static void on_held_up(void *userdata, size_t i, const char *holder)
{
    struct client *c = userdata;

    (void)i;
    (void)snprintf(c->held_up, sizeof c->held_up, "%s", holder);
}

static void on_locked(void *userdata, const char *holder)
{
    struct client *c = userdata;

    ck_assert(!holder || *holder);
    (void)snprintf(c->locked, sizeof c->locked, "%s", holder ? holder : "");
    c->locks += holder != NULL;
    c->unlocks += holder == NULL;
}

static void on_alarm(void *userdata, const char *text)
{
    struct client *c = userdata;

    (void)text;
    c->alarms++;
}

const struct arbiter_handler client_handler = {
    .alarm = on_alarm,
    .held_up = on_held_up,
    .locked = on_locked,
    .replies = on_replies,
    .connected = on_connected,
    .lost = on_lost,
    .hint = on_hint,
    .notice = on_notice,
};

/* ---- life ---- */

struct client *client_new(void)
{
    struct client *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    ck_assert_int_ge(sd_event_new(&c->event), 0);
    c->owner = "";
    return c;
}

struct client *client_open(arbiter_maker make, const char *owner)
{
    struct client *c = client_new();

    c->owner = owner;
    ck_assert_int_eq(make(c->event, owner, &client_handler, c, &c->arbiter), 0);
    ck_assert_uint_eq(c->connects, 0);
    client_await(c, &c->connects, 1);
    ck_assert(arbiter_idle(c->arbiter));
    return c;
}

struct client *client_close(struct client *c)
{
    c->arbiter = arbiter_free(c->arbiter);
    (void)sd_event_unref(c->event);
    free(c);
    return NULL;
}

void close_both(void)
{
    a = client_close(a);
    b = client_close(b);
}

/* Sleeps as long as the arbiter lets it: a timer that comes late shows. What is measured is the
 * work in between. */
static void turn(struct client *c, usec_t longest)
{
    usec_t begin = clock_boottime(), slept = 0;
    int r = sd_event_prepare(c->event);

    ck_assert_int_ge(r, 0);
    if (r == 0) {
        usec_t before = clock_boottime();

        r = sd_event_wait(c->event, longest);
        slept = clock_boottime() - before;
    }
    ck_assert_int_ge(r, 0);
    if (r > 0)
        ck_assert_int_ge(sd_event_dispatch(c->event), 0);
    c->longest_gap = usec_max(c->longest_gap, clock_boottime() - begin - slept);
}

void client_await(struct client *c, const unsigned *counter, unsigned n)
{
    usec_t until = clock_boottime() + AWAIT_USEC;

    while (*counter < n) {
        usec_t now = clock_boottime();

        ck_assert_msg(now < until,
                      "waited in vain; %u answers, %u connects, %u losses, last \"%s\"", c->answers,
                      c->connects, c->losses, c->lost);
        turn(c, until - now);
    }
}

void client_turn(struct client *c, usec_t span)
{
    usec_t until = clock_boottime() + span;

    for (usec_t now; (now = clock_boottime()) < until;)
        turn(c, until - now);
}

void client_send(struct client *c, const struct request *requests, size_t n, usec_t limit)
{
    c->in_send = true;
    c->held_up[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(c->groups[i], sizeof c->groups[i], "%s", requests[i].group);
        known_sent(&requests[i]);
    }
    int r = arbiter_send(c->arbiter, requests, n, limit);
    c->in_send = false;
    ck_assert_msg(r == 0, "arbiter_send: %s", strerror(-r));
}

struct reply client_ask(struct client *c, const struct request *request)
{
    unsigned before = c->answers;

    client_send(c, request, 1, CLIENT_LIMIT);
    client_await(c, &c->answers, before + 1);
    ck_assert_uint_eq(c->n, 1);
    /* Of the answers, this is all that the proofs of the election assume. */
    ck_assert(!*c->owner || reply_fits(request, c->owner, &c->replies[0]));
    return c->replies[0];
}

/* ---- requests ---- */

struct nonce nonce_new(void)
{
    struct nonce nonce;

    ck_assert_int_eq(getrandom(&nonce, sizeof nonce, 0), sizeof nonce);
    return nonce;
}

const char *group_new(void)
{
    static char names[8][GROUP_NAME_MAX + 1];
    static unsigned n;
    char *name = names[n % 8];

    (void)snprintf(name, sizeof names[0], "g-%d.%u_%llx", (int)getpid(), n++,
                   (unsigned long long)clock_boottime());
    return name;
}

struct request observe_of(const char *group)
{
    return (struct request){
        .operation = OPERATION_OBSERVE,
        .group = group,
        .method = client_method,
        .lease = client_lease,
        .stop = 5 * USEC_PER_SEC,
        .duration = 8670 * USEC_PER_MSEC,
    };
}

struct request claim_of(const char *group, const struct reply *seen)
{
    struct request request = observe_of(group);

    ck_assert(seen->has_record);
    request.operation = OPERATION_CLAIM;
    request.expected_term = seen->record.term;
    request.expected_nonce = seen->record.nonce;
    request.fresh_nonce = nonce_new();
    request.epoch = seen->epoch;
    return request;
}

struct request confirm_of(const char *group, const struct reply *seen)
{
    struct request request = claim_of(group, seen);

    request.operation = OPERATION_CONFIRM_DEAD;
    return request;
}

struct request renew_of(const char *group, uint64_t term)
{
    struct request request = {
        .operation = OPERATION_RENEW,
        .group = group,
        .method = client_method,
        .term = term,
        .fresh_nonce = nonce_new(),
    };

    known_fill(&request);
    return request;
}

struct request renew_knowing(const char *group, uint64_t term, const struct nonce *nonce)
{
    struct request request = renew_of(group, term);

    request.known[0] = *nonce;
    request.n_known = 1;
    return request;
}

struct request release_of(const char *group, uint64_t term, const struct nonce *nonce)
{
    return (struct request){
        .operation = OPERATION_RELEASE,
        .group = group,
        .method = client_method,
        .term = term,
        .known = {*nonce},
        .n_known = 1,
    };
}

void client_wait_out(struct client *c)
{
    /* With leases it is the election that observes. */
    if (client_method == METHOD_ADVISORY)
        client_turn(c, client_lease + USEC_PER_MSEC);
}

struct reply client_lead(struct client *c, const char *group)
{
    struct request request = observe_of(group);
    struct reply seen = client_ask(c, &request);

    ck_assert_int_eq(seen.outcome, OUTCOME_GRANTED);
    client_wait_out(c);
    request = claim_of(group, &seen);
    struct reply reply = client_ask(c, &request);
    ck_assert_int_eq(reply.outcome, OUTCOME_GRANTED);
    ck_assert(reply.has_record);
    return reply;
}
