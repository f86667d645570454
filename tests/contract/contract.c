/* SPDX-License-Identifier: Apache-2.0 */
#include "contract.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "support/test.h"

/* Short, since a failover by advisory locks has to wait for it. */
#define SHORT_LEASE (100 * USEC_PER_MSEC)

static void make_both(void)
{
    a = client_open(contract_arbiter, CLIENT_OWNER_A);
    b = client_open(contract_arbiter, CLIENT_OWNER_B);
}

static void make_both_advisory(void)
{
    client_method = METHOD_ADVISORY;
    client_lease = SHORT_LEASE;
    make_both();
}

static void same_record(const struct record *x, const struct record *y)
{
    ck_assert_uint_eq(x->term, y->term);
    ck_assert_str_eq(x->owner, y->owner);
    ck_assert(nonce_equal(&x->nonce, &y->nonce));
    ck_assert_int_eq(x->clean, y->clean);
    ck_assert_int_eq(x->claimable, y->claimable);
    ck_assert_uint_eq(x->lease, y->lease);
    ck_assert_uint_eq(x->stop, y->stop);
    ck_assert_uint_eq(x->duration, y->duration);
    ck_assert_uint_eq(x->since, y->since);
}

static struct reply observe(struct client *c, const char *group)
{
    struct request request = observe_of(group);
    struct reply reply = client_ask(c, &request);

    ck_assert_int_eq(reply.outcome, OUTCOME_GRANTED);
    ck_assert(reply.has_record);
    return reply;
}

/* Both must see it, and as the operation's own reply showed it. */
static void stands(const char *group, const struct reply *reply)
{
    struct reply seen_a = observe(a, group), seen_b = observe(b, group);

    same_record(&seen_a.record, &reply->record);
    same_record(&seen_b.record, &reply->record);
}

static enum outcome ask(struct client *c, struct request request, struct reply *ret)
{
    *ret = client_ask(c, &request);
    return ret->outcome;
}

/* Claims what another holds, who stays silent. Where a session excludes others, it must end. */
static struct reply take_over(struct client *by, struct client **from, struct request claim)
{
    struct reply reply;

    if (client_method == METHOD_ADVISORY) {
        bool is_a = *from == a;

        (void)client_close(*from);
        *from = client_open(contract_arbiter, is_a ? CLIENT_OWNER_A : CLIENT_OWNER_B);
        (void)observe(by, claim.group);
        client_wait_out(by);
    }
    ck_assert_int_eq(ask(by, claim, &reply), OUTCOME_GRANTED);
    return reply;
}

TEST_CASE(contract_lease, .set_up = make_both, .tear_down = close_both, .time_limit = 30);
TEST_CASE(contract_advisory, .set_up = make_both_advisory, .tear_down = close_both,
          .time_limit = 30);

/* ---- observing ---- */

TEST(a_missing_record_is_created_not_clean)
{
    const char *group = group_new();
    struct reply first = observe(a, group);

    ck_assert(!first.record.clean);
    ck_assert(!first.record.claimable);
    ck_assert_str_eq(first.record.owner, "");
    ck_assert_uint_eq(first.record.term, 0);
    ck_assert_uint_eq(first.record.lease, client_lease);
    ck_assert_uint_eq(first.record.stop, 5 * USEC_PER_SEC);
    ck_assert_uint_eq(first.record.duration, 8670 * USEC_PER_MSEC);
    ck_assert_uint_gt(first.epoch.timeline, 0);
    ck_assert_uint_gt(first.epoch.system_id, 0);
    stands(group, &first); /* observing changes nothing */
}

/* ---- claiming ---- */

TEST(a_claim_makes_a_new_term)
{
    const char *group = group_new();
    struct reply seen = observe(a, group), reply;
    struct request claim = claim_of(group, &seen);

    claim.lease = 20 * USEC_PER_SEC;
    claim.stop = 7 * USEC_PER_SEC;
    claim.duration = 9 * USEC_PER_SEC;
    if (client_method == METHOD_ADVISORY) /* the longer one of both would have to be waited out */
        claim.lease = client_lease;
    client_wait_out(a);
    ck_assert_int_eq(ask(a, claim, &reply), OUTCOME_GRANTED);
    ck_assert_str_eq(reply.record.owner, CLIENT_OWNER_A);
    ck_assert_uint_gt(reply.record.term, seen.record.term);
    ck_assert(nonce_equal(&reply.record.nonce, &claim.fresh_nonce));
    ck_assert(!reply.record.clean);
    ck_assert(!reply.record.claimable);
    ck_assert_uint_eq(reply.record.lease, claim.lease);
    ck_assert_uint_eq(reply.record.stop, claim.stop);
    ck_assert_uint_eq(reply.record.duration, claim.duration);
    ck_assert_uint_eq(seen.record.since, 0);
    ck_assert_uint_gt(reply.record.since, (usec_t)1700000000 * USEC_PER_SEC);
    stands(group, &reply);
}

TEST(a_claim_of_what_has_changed_is_denied)
{
    const char *group = group_new();
    struct reply seen = observe(b, group), led = client_lead(a, group), reply;

    /* The record as it was before the claim, and each half of it. */
    ck_assert_int_eq(ask(b, claim_of(group, &seen), &reply), OUTCOME_DENIED);
    ck_assert(reply.has_record);
    same_record(&reply.record, &led.record);
    struct request claim = claim_of(group, &led);
    claim.expected_term = seen.record.term;
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_DENIED);
    claim = claim_of(group, &led);
    claim.expected_nonce = seen.record.nonce;
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_DENIED);
    stands(group, &led);

    /* A renewal alone voids an observation. */
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term), &reply), OUTCOME_GRANTED);
    struct reply renewed = reply;
    ck_assert_int_eq(ask(b, claim_of(group, &led), &reply), OUTCOME_DENIED);
    stands(group, &renewed);
    reply = take_over(b, &a, claim_of(group, &renewed));
    ck_assert_str_eq(reply.record.owner, CLIENT_OWNER_B);
}

TEST(a_claim_of_another_history_is_denied)
{
    const char *group = group_new();
    struct reply seen = observe(a, group), reply;
    struct request claim = claim_of(group, &seen);

    claim.epoch.system_id++;
    ck_assert_int_eq(ask(a, claim, &reply), OUTCOME_DENIED);
    claim = claim_of(group, &seen);
    claim.epoch.timeline++;
    ck_assert_int_eq(ask(a, claim, &reply), OUTCOME_DENIED);
    claim.epoch.timeline -= 2;
    ck_assert_int_eq(ask(a, claim, &reply), OUTCOME_DENIED);
    stands(group, &seen);
}

TEST(a_claim_of_another_life_of_the_server_is_denied)
{
    const char *group = group_new();
    struct reply seen = observe(a, group), reply;
    struct request claim = claim_of(group, &seen);

    client_wait_out(a);
    claim.epoch.started++;
    ck_assert_int_eq(ask(a, claim, &reply), OUTCOME_DENIED);
    claim.epoch.started -= 2;
    ck_assert_int_eq(ask(a, claim, &reply), OUTCOME_DENIED);
    claim.epoch.started = 0;
    ck_assert_int_eq(ask(a, claim, &reply), OUTCOME_DENIED);
    stands(group, &seen);
    claim.epoch = seen.epoch;
    ck_assert_int_eq(ask(a, claim, &reply), OUTCOME_GRANTED);
}

/* Each of a tick is asked for by itself: one may have been read before a restart, another after.
 */
TEST(claims_of_a_tick_are_of_different_lives)
{
    const char *old = group_new(), *new = group_new();
    struct reply seen_old = observe(a, old), seen_new = observe(a, new);
    struct request requests[] = {claim_of(old, &seen_old), claim_of(new, &seen_new)};

    client_wait_out(a);
    requests[0].epoch.started--;
    unsigned before = a->answers;
    client_send(a, requests, 2, CLIENT_LIMIT);
    client_await(a, &a->answers, before + 1);
    ck_assert_int_eq(a->replies[0].outcome, OUTCOME_DENIED);
    ck_assert_int_eq(a->replies[1].outcome, OUTCOME_GRANTED);
}

TEST(all_connections_are_to_one_life_of_the_server)
{
    const char *group = group_new();
    struct reply seen_a = observe(a, group), seen_b = observe(b, group);

    ck_assert_uint_gt(seen_a.epoch.started, 0);
    ck_assert_uint_eq(seen_a.epoch.started, seen_b.epoch.started);
    b = client_close(b);
    b = client_open(contract_arbiter, CLIENT_OWNER_B);
    ck_assert_uint_eq(observe(b, group).epoch.started, seen_a.epoch.started);
}

TEST(terms_only_grow)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    ck_assert_uint_gt(led.record.term, led.epoch.timeline << 32);
    struct reply reply = take_over(b, &a, claim_of(group, &led));
    ck_assert_uint_gt(reply.record.term, led.record.term);

    struct request claim = claim_of(group, &reply);
    claim.term_floor = reply.record.term + 1000;
    reply = take_over(a, &b, claim);
    ck_assert_uint_ge(reply.record.term, claim.term_floor);

    uint64_t before = reply.record.term;
    claim = claim_of(group, &reply);
    claim.term_floor = 7;
    reply = take_over(b, &a, claim);
    ck_assert_uint_gt(reply.record.term, before);
}

#define RACES 40

TEST(of_two_claimants_one_wins)
{
    for (int i = 0; i < RACES; i++) {
        const char *group = group_new();
        struct reply seen_a = observe(a, group), seen_b = observe(b, group);
        struct request claim_a = claim_of(group, &seen_a), claim_b = claim_of(group, &seen_b);
        unsigned before_a = a->answers, before_b = b->answers;

        client_wait_out(a);
        client_send(i % 2 ? a : b, i % 2 ? &claim_a : &claim_b, 1, CLIENT_LIMIT);
        client_send(i % 2 ? b : a, i % 2 ? &claim_b : &claim_a, 1, CLIENT_LIMIT);
        client_await(a, &a->answers, before_a + 1);
        client_await(b, &b->answers, before_b + 1);
        bool wins_a = a->replies[0].outcome == OUTCOME_GRANTED;
        bool wins_b = b->replies[0].outcome == OUTCOME_GRANTED;
        ck_assert_int_ne(wins_a, wins_b);
        stands(group, wins_a ? &a->replies[0] : &b->replies[0]);
    }
}

/* ---- renewing ---- */

TEST(a_renewal_writes_a_new_nonce_only)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;

    for (int i = 0; i < 3; i++) {
        struct request renew = renew_of(group, led.record.term);

        ck_assert_int_eq(ask(a, renew, &reply), OUTCOME_GRANTED);
        led.record.nonce = renew.fresh_nonce;
        same_record(&reply.record, &led.record);
        stands(group, &reply);
    }
}

/* S, and all else, stays. One that is not granted changes nothing, and neither does a release. */
TEST(a_renewal_may_change_the_lease)
{
    static const usec_t leases[] = {3600 * USEC_PER_SEC, 1 * USEC_PER_SEC, 20 * USEC_PER_SEC};
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;

    for (size_t i = 0; i < sizeof leases / sizeof leases[0]; i++) {
        struct request renew = renew_of(group, led.record.term);

        renew.lease = leases[i];
        renew.duration = leases[i] / 2;
        renew.stop = 77; /* is not asked */
        ck_assert_int_eq(ask(a, renew, &reply), OUTCOME_GRANTED);
        led.record.nonce = renew.fresh_nonce;
        led.record.lease = renew.lease;
        led.record.duration = renew.duration;
        same_record(&reply.record, &led.record);
        stands(group, &reply);
        struct reply seen = observe(b, group);
        same_record(&seen.record, &led.record);

        struct request late = renew_of(group, led.record.term - 1);
        late.lease = late.duration = 5;
        ck_assert_int_eq(ask(a, late, &reply), OUTCOME_DENIED);
        late = renew_knowing(group, led.record.term, &late.fresh_nonce);
        late.lease = late.duration = 5;
        ck_assert_int_eq(ask(a, late, &reply), OUTCOME_OTHER_NONCE);
        stands(group, &seen);
    }
    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce), &reply),
                     OUTCOME_GRANTED);
    led.record.clean = led.record.claimable = true;
    same_record(&reply.record, &led.record);
}

TEST(a_renewal_is_keyed_by_term_and_owner)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;

    ck_assert_int_eq(ask(a, renew_of(group, led.record.term - 1), &reply), OUTCOME_DENIED);
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term + 1), &reply), OUTCOME_DENIED);
    ck_assert_int_eq(ask(b, renew_of(group, led.record.term), &reply), OUTCOME_DENIED);
    ck_assert(reply.has_record);
    stands(group, &led);
    ck_assert_int_eq(ask(a, renew_of(group_new(), led.record.term), &reply), OUTCOME_DENIED);
    ck_assert(!reply.has_record);
}

TEST(a_lost_term_cannot_be_renewed)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;
    struct reply taken = take_over(b, &a, claim_of(group, &led));

    ck_assert_int_eq(ask(a, renew_of(group, led.record.term), &reply), OUTCOME_DENIED);
    ck_assert_int_eq(ask(a, renew_of(group, taken.record.term), &reply), OUTCOME_DENIED);
    stands(group, &taken);
}

TEST(a_renewal_is_keyed_by_the_nonce)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), renewed, reply;
    uint64_t term = led.record.term;

    ck_assert_int_eq(ask(a, renew_knowing(group, term, &led.record.nonce), &renewed),
                     OUTCOME_GRANTED);
    /* As it was before: what comes late, or from a copy, undoes nothing. */
    ck_assert_int_eq(ask(a, renew_knowing(group, term, &led.record.nonce), &reply),
                     OUTCOME_OTHER_NONCE);
    ck_assert(reply.has_record);
    same_record(&reply.record, &renewed.record);
    stands(group, &renewed);
    /* What it may be, among what it is not. */
    struct request renew = renew_knowing(group, term, &renewed.record.nonce);
    for (renew.n_known = REQUEST_NONCES_MAX; renew.n_known > 0; renew.n_known--) {
        unsigned last = renew.n_known - 1;

        for (unsigned i = 0; i < last; i++)
            renew.known[i] = nonce_new();
        renew.known[last] = renewed.record.nonce;
        renew.fresh_nonce = nonce_new();
        ck_assert_int_eq(ask(a, renew, &renewed), OUTCOME_GRANTED);
        ck_assert(nonce_equal(&renewed.record.nonce, &renew.fresh_nonce));
    }
    stands(group, &renewed);
    /* Another term or owner is denied, whatever is known; so is what is clean. */
    ck_assert_int_eq(ask(a, renew_knowing(group, term - 1, &renewed.record.nonce), &reply),
                     OUTCOME_DENIED);
    ck_assert_int_eq(ask(b, renew_knowing(group, term, &renewed.record.nonce), &reply),
                     OUTCOME_DENIED);
    ck_assert_int_eq(ask(b, renew_knowing(group, term, &led.record.nonce), &reply), OUTCOME_DENIED);
    ck_assert_int_eq(ask(a, release_of(group, term, &renewed.record.nonce), &reply),
                     OUTCOME_GRANTED);
    ck_assert_int_eq(ask(a, renew_knowing(group, term, &led.record.nonce), &reply), OUTCOME_DENIED);
    ck_assert(reply.record.clean);
}

/* Asks until there is an answer. Where an earlier session is in the way, it is ended. */
static enum outcome insist(struct client *c, struct request request, struct reply *ret)
{
    while (ask(c, request, ret) == OUTCOME_UNKNOWN)
        client_turn(c, USEC_PER_MSEC);
    return ret->outcome;
}

TEST(another_life_of_the_owner_reads_and_renews)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;
    uint64_t term = led.record.term;
    struct nonce none = nonce_new();
    struct client *again = client_open(contract_arbiter, CLIENT_OWNER_A);

    /* It has nothing but what it reads, and learns that by being refused, too. */
    ck_assert_int_eq(ask(again, renew_knowing(group, term, &none), &reply), OUTCOME_OTHER_NONCE);
    same_record(&reply.record, &led.record);
    reply = observe(again, group);
    same_record(&reply.record, &led.record);
    struct request renew = renew_knowing(group, term, &reply.record.nonce);
    ck_assert_int_eq(insist(again, renew, &reply), OUTCOME_GRANTED);
    struct reply renewed = reply;
    again = client_close(again);
    if (client_method == METHOD_ADVISORY)
        client_await(a, &a->connects, 2);
    stands(group, &renewed);
    /* The earlier one, where it lives on, learns of it. */
    ck_assert_int_eq(ask(a, renew_knowing(group, term, &led.record.nonce), &reply),
                     OUTCOME_OTHER_NONCE);
    ck_assert_int_eq(ask(a, release_of(group, term, &led.record.nonce), &reply),
                     OUTCOME_OTHER_NONCE);
    stands(group, &renewed);
}

/* Both know the same of it, and have the same name. */
TEST(of_two_copies_one_goes_on)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;
    uint64_t term = led.record.term;
    struct client *copy = client_open(contract_arbiter, CLIENT_OWNER_A);
    struct request renew = renew_knowing(group, term, &led.record.nonce);

    ck_assert_int_eq(insist(copy, renew, &reply), OUTCOME_GRANTED);
    for (int i = 0; i < 3; i++) {
        struct reply renewed = reply;

        if (client_method == METHOD_ADVISORY && i == 0)
            client_await(a, &a->connects, 2);
        renew = renew_knowing(group, term, &led.record.nonce);
        ck_assert_int_eq(ask(a, renew, &reply), OUTCOME_OTHER_NONCE);
        same_record(&reply.record, &renewed.record);
        renew = renew_knowing(group, term, &renewed.record.nonce);
        ck_assert_int_eq(ask(copy, renew, &reply), OUTCOME_GRANTED);
    }
    copy = client_close(copy);
}

/* ---- releasing ---- */

TEST(a_release_is_keyed_by_the_nonce)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), renewed, reply;
    uint64_t term = led.record.term;

    ck_assert_int_eq(ask(a, renew_of(group, term), &renewed), OUTCOME_GRANTED);
    ck_assert_int_eq(ask(a, release_of(group, term, &led.record.nonce), &reply),
                     OUTCOME_OTHER_NONCE);
    ck_assert(reply.has_record);
    ck_assert(nonce_equal(&reply.record.nonce, &renewed.record.nonce));
    ck_assert_int_eq(ask(b, release_of(group, term, &renewed.record.nonce), &reply),
                     OUTCOME_DENIED);
    ck_assert_int_eq(ask(a, release_of(group, term + 1, &renewed.record.nonce), &reply),
                     OUTCOME_DENIED);
    stands(group, &renewed);

    struct request release = release_of(group, term, &renewed.record.nonce);
    for (unsigned i = 1; i < REQUEST_NONCES_MAX; i++)
        release.known[i] = nonce_new();
    release.n_known = REQUEST_NONCES_MAX;
    ck_assert_int_eq(ask(a, release, &reply), OUTCOME_GRANTED);
    ck_assert(reply.record.clean);
}

TEST(a_release_is_clean_and_may_be_repeated)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), released, reply;
    struct request release = release_of(group, led.record.term, &led.record.nonce);

    ck_assert_int_eq(ask(a, release, &released), OUTCOME_GRANTED);
    ck_assert(released.record.clean);
    ck_assert(released.record.claimable);
    stands(group, &released);
    ck_assert_int_eq(ask(a, release, &reply), OUTCOME_GRANTED);
    stands(group, &released);
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term), &reply), OUTCOME_DENIED);
    stands(group, &released); /* a renewal never touches a clean record */
}

TEST(a_clean_record_is_claimed_at_once)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), released, reply;

    /* Not clean: the flag alone makes it claimable by nobody. */
    struct request claim = claim_of(group, &led);
    claim.rests_on_clean = true;
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_DENIED);
    stands(group, &led);

    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce), &released),
                     OUTCOME_GRANTED);
    claim = claim_of(group, &released);
    claim.rests_on_clean = true;
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_GRANTED);
    ck_assert(!reply.record.clean);
    ck_assert(!reply.record.claimable);
    stands(group, &reply);
    /* The old holder's release, sent again, is not for this term. */
    struct reply again;
    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce), &again),
                     OUTCOME_DENIED);
    stands(group, &reply);
}

TEST(a_release_is_hinted_to_others)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;

    (void)observe(b, group);
    ck_assert_uint_eq(b->hints, 0);
    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce), &reply),
                     OUTCOME_GRANTED);
    client_await(b, &b->hints, 1);
    ck_assert_str_eq(b->hint, group);

    /* The release notice is enough for the claim. */
    ck_assert_uint_eq(b->release.term, led.record.term);
    ck_assert_mem_eq(&b->release.nonce, &reply.record.nonce, sizeof b->release.nonce);
    struct request claim = claim_of(group, &reply);

    claim.expected_nonce = b->release.nonce;
    claim.rests_on_clean = true;
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_GRANTED);
}

/* Anybody may send notifications: what they say is tested. */
TEST(a_release_notice_is_no_proof)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply, seen = observe(b, group);
    struct request claim = claim_of(group, &led);

    claim.rests_on_clean = true;
    claim.epoch = seen.epoch;
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_DENIED);
    ck_assert(!reply.record.clean);
    stands(group, &led);
}

/* ---- ticks ---- */

TEST(replies_are_in_the_order_of_the_requests)
{
    enum { N = 50 };
    char groups[N][GROUP_NAME_MAX + 1];
    struct request requests[N];

    /* Names descend, and every second one is missing: created on the way. */
    for (int i = 0; i < N; i++) {
        (void)snprintf(groups[i], sizeof groups[i], "%02d-%s", N - i, group_new());
        if (i % 2)
            (void)client_lead(b, groups[i]);
        requests[i] = observe_of(groups[i]);
        requests[i].lease = (usec_t)(i + 1) * USEC_PER_SEC;
    }
    client_send(a, requests, N, CLIENT_LIMIT);
    client_await(a, &a->answers, 1);
    ck_assert_uint_eq(a->n, N);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(a->replies[i].outcome, OUTCOME_GRANTED);
        ck_assert_str_eq(a->replies[i].record.owner, i % 2 ? CLIENT_OWNER_B : "");
        if (i % 2 == 0)
            ck_assert_uint_eq(a->replies[i].record.lease, requests[i].lease);
    }
}

TEST(a_tick_mixes_operations)
{
    const char *renewed = group_new(), *released = group_new(), *claimed = group_new(),
               *observed = group_new(), *lost = group_new();
    struct reply led_lost = client_lead(a, lost);

    (void)take_over(b, &a, claim_of(lost, &led_lost));
    struct reply led_renewed = client_lead(a, renewed), led_released = client_lead(a, released),
                 seen = observe(a, claimed);
    client_wait_out(a);
    const struct request requests[] = {
        renew_of(lost, led_lost.record.term),
        release_of(released, led_released.record.term, &led_released.record.nonce),
        observe_of(observed),
        claim_of(claimed, &seen),
        renew_of(renewed, led_renewed.record.term),
    };
    unsigned before = a->answers;
    client_send(a, requests, 5, CLIENT_LIMIT);
    client_await(a, &a->answers, before + 1);
    ck_assert_int_eq(a->replies[0].outcome, OUTCOME_DENIED);
    ck_assert_str_eq(a->replies[0].record.owner, CLIENT_OWNER_B);
    ck_assert(a->replies[1].record.clean);
    ck_assert_str_eq(a->replies[2].record.owner, "");
    ck_assert(nonce_equal(&a->replies[3].record.nonce, &requests[3].fresh_nonce));
    ck_assert(nonce_equal(&a->replies[4].record.nonce, &requests[4].fresh_nonce));
    for (int i = 1; i < 5; i++)
        ck_assert_int_eq(a->replies[i].outcome, OUTCOME_GRANTED);
}

/* ---- confirmed dead ---- */

/* Where a session has the lock, it is ended with the term. */
static void await_end_of_session(struct client *c)
{
    if (client_method != METHOD_ADVISORY)
        return;
    client_await(c, &c->losses, 1);
    client_await(c, &c->connects, 2);
}

/* b vouches that a, which leads, is dead. */
static struct reply confirm(const char *group, const struct reply *led, struct request *request)
{
    struct reply reply;

    *request = confirm_of(group, led);
    ck_assert_int_eq(ask(b, *request, &reply), OUTCOME_GRANTED);
    await_end_of_session(a);
    return reply;
}

TEST(what_is_confirmed_dead_is_nobodys)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;
    struct request request = confirm_of(group, &led);

    request.lease = 20 * USEC_PER_SEC;
    request.duration = 9 * USEC_PER_SEC;
    ck_assert_int_eq(ask(b, request, &reply), OUTCOME_GRANTED);
    await_end_of_session(a);
    ck_assert(reply.has_record);
    ck_assert_str_eq(reply.record.owner, "");
    ck_assert_uint_gt(reply.record.term, led.record.term);
    ck_assert(nonce_equal(&reply.record.nonce, &request.fresh_nonce));
    ck_assert(!reply.record.clean);
    ck_assert(!reply.record.claimable);
    ck_assert_uint_eq(reply.record.lease, request.lease);
    ck_assert_uint_eq(reply.record.stop, request.stop);
    ck_assert_uint_eq(reply.record.duration, request.duration);
    ck_assert_uint_eq(reply.epoch.timeline, led.epoch.timeline);
    stands(group, &reply);
}

TEST(the_confirmed_one_is_denied_everything)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;
    uint64_t term = led.record.term;
    struct request request;
    struct reply confirmed = confirm(group, &led, &request);

    /* What it knew, and what it reads now. */
    ck_assert_int_eq(ask(a, renew_knowing(group, term, &led.record.nonce), &reply), OUTCOME_DENIED);
    same_record(&reply.record, &confirmed.record);
    ck_assert_int_eq(ask(a, renew_knowing(group, term, &request.fresh_nonce), &reply),
                     OUTCOME_DENIED);
    ck_assert_int_eq(
        ask(a, renew_knowing(group, confirmed.record.term, &request.fresh_nonce), &reply),
        OUTCOME_DENIED);
    ck_assert_int_eq(ask(a, release_of(group, term, &led.record.nonce), &reply), OUTCOME_DENIED);
    ck_assert_int_eq(ask(a, release_of(group, confirmed.record.term, &request.fresh_nonce), &reply),
                     OUTCOME_DENIED);
    ck_assert_int_eq(ask(a, claim_of(group, &led), &reply), OUTCOME_DENIED);
    stands(group, &confirmed);
}

TEST(confirmed_twice_is_confirmed_once)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;
    struct request request;
    struct reply confirmed = confirm(group, &led, &request);

    ck_assert_int_eq(ask(b, request, &reply), OUTCOME_DENIED);
    same_record(&reply.record, &confirmed.record);
    ck_assert_int_eq(ask(a, confirm_of(group, &led), &reply), OUTCOME_DENIED);
    /* And a term without an owner is nobody who could be dead. */
    ck_assert_int_eq(ask(b, confirm_of(group, &confirmed), &reply), OUTCOME_DENIED);
    stands(group, &confirmed);
}

TEST(what_was_renewed_is_not_confirmed_dead)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), renewed, reply;
    struct request request = confirm_of(group, &led);

    ck_assert_int_eq(ask(a, renew_of(group, led.record.term), &renewed), OUTCOME_GRANTED);
    ck_assert_int_eq(ask(b, request, &reply), OUTCOME_DENIED);
    same_record(&reply.record, &renewed.record);
    request = confirm_of(group, &renewed);
    request.expected_term--;
    ck_assert_int_eq(ask(b, request, &reply), OUTCOME_DENIED);
    stands(group, &renewed);
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term), &renewed), OUTCOME_GRANTED);
}

TEST(what_was_given_back_is_not_confirmed_dead)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), released, reply;

    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce), &released),
                     OUTCOME_GRANTED);
    ck_assert_int_eq(ask(b, confirm_of(group, &released), &reply), OUTCOME_DENIED);
    ck_assert(reply.record.claimable);
    stands(group, &released);
}

TEST(nobody_is_confirmed_dead)
{
    const char *group = group_new();
    const struct reply seen = observe(b, group);
    struct request request = confirm_of(group, &seen);

    ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_DENIED);
    stands(group, &seen);
    /* No record at all. */
    request.group = group_new();
    struct reply reply = client_ask(b, &request);
    ck_assert_int_eq(reply.outcome, OUTCOME_DENIED);
    ck_assert(!reply.has_record);
}

TEST(what_was_watched_elsewhere_is_not_confirmed_dead)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;
    struct request wrong[4];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        wrong[i] = confirm_of(group, &led);
    wrong[0].epoch.system_id++;
    wrong[1].epoch.timeline++;
    wrong[2].epoch.started++;
    wrong[3].epoch.started = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_int_eq(ask(b, wrong[i], &reply), OUTCOME_DENIED);
    stands(group, &led);
}

TEST(the_confirmed_term_is_above_all)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), reply;
    struct request request = confirm_of(group, &led);

    request.term_floor = led.record.term + 1000;
    ck_assert_int_eq(ask(b, request, &reply), OUTCOME_GRANTED);
    ck_assert_uint_ge(reply.record.term, request.term_floor);
    ck_assert_uint_gt(reply.record.term, led.epoch.timeline << 32);
}

TEST(what_is_confirmed_dead_is_waited_out)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), confirmed, reply;

    ck_assert_int_eq(ask(b, confirm_of(group, &led), &confirmed), OUTCOME_GRANTED);
    struct request claim = claim_of(group, &confirmed);
    if (client_method == METHOD_ADVISORY) /* by its own quarantine, too */
        ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_DENIED);
    claim.rests_on_clean = true;
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_DENIED);
    await_end_of_session(a);
    client_wait_out(b);
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_DENIED);
    stands(group, &confirmed);
    claim.rests_on_clean = false;
    ck_assert_int_eq(ask(b, claim, &reply), OUTCOME_GRANTED);
    ck_assert_uint_gt(reply.record.term, confirmed.record.term);
    ck_assert_str_eq(reply.record.owner, CLIENT_OWNER_B);
    ck_assert_int_eq(ask(a, renew_knowing(group, led.record.term, &led.record.nonce), &reply),
                     OUTCOME_DENIED);
}

/* Each of a tick by itself. */
TEST(one_of_two_is_confirmed_dead)
{
    const char *still = group_new(), *renewed = group_new();
    struct reply led[2] = {client_lead(a, still), client_lead(a, renewed)}, reply;
    struct request requests[] = {confirm_of(still, &led[0]), confirm_of(renewed, &led[1])};

    ck_assert_int_eq(ask(a, renew_of(renewed, led[1].record.term), &reply), OUTCOME_GRANTED);
    unsigned before = b->answers;
    client_send(b, requests, 2, CLIENT_LIMIT);
    client_await(b, &b->answers, before + 1);
    ck_assert_int_eq(b->replies[0].outcome, OUTCOME_GRANTED);
    ck_assert_int_eq(b->replies[1].outcome, OUTCOME_DENIED);
    same_record(&b->replies[1].record, &reply.record);
}

TEST(what_cannot_be_sent_is_refused)
{
    static struct request many[ARBITER_TICK_MAX + 1];
    struct request request = observe_of("a");

    for (size_t i = 0; i <= ARBITER_TICK_MAX; i++)
        many[i] = request;
    ck_assert_int_eq(arbiter_send(a->arbiter, &request, 0, CLIENT_LIMIT), -EINVAL);
    ck_assert_int_eq(arbiter_send(a->arbiter, many, ARBITER_TICK_MAX + 1, CLIENT_LIMIT), -E2BIG);
    static const char *const names[] = {"", "-a", "a b", "a\"b", "a,b", "{a}", "a\\b", "a'b"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        request = observe_of(names[i]);
        ck_assert_int_eq(arbiter_send(a->arbiter, &request, 1, CLIENT_LIMIT), -EINVAL);
    }
    request = observe_of("a");
    request.lease = 0;
    ck_assert_int_eq(arbiter_send(a->arbiter, &request, 1, CLIENT_LIMIT), -EINVAL);
    request = renew_of("a", 1);
    request.lease = 0;
    ck_assert_int_eq(arbiter_send(a->arbiter, &request, 1, CLIENT_LIMIT), -EINVAL);
    request = renew_of("a", 1);
    request.duration = 0;
    ck_assert_int_eq(arbiter_send(a->arbiter, &request, 1, CLIENT_LIMIT), -EINVAL);
    request = renew_of("a", UINT64_MAX);
    ck_assert_int_eq(arbiter_send(a->arbiter, &request, 1, CLIENT_LIMIT), -EINVAL);
    for (int i = 0; i < 2; i++) {
        request = renew_of("a", 1);
        request.operation = i == 0 ? OPERATION_RENEW : OPERATION_RELEASE;
        request.n_known = 0;
        ck_assert_int_eq(arbiter_send(a->arbiter, &request, 1, CLIENT_LIMIT), -EINVAL);
        request.n_known = REQUEST_NONCES_MAX + 1;
        ck_assert_int_eq(arbiter_send(a->arbiter, &request, 1, CLIENT_LIMIT), -EINVAL);
    }

    ck_assert_uint_eq(arbiter_round_trips(a->arbiter), 0);
    request = observe_of(group_new());
    client_send(a, &request, 1, CLIENT_LIMIT);
    ck_assert(!arbiter_idle(a->arbiter));
    ck_assert_int_eq(arbiter_send(a->arbiter, &request, 1, CLIENT_LIMIT), -EBUSY);
    client_await(a, &a->answers, 1);
    ck_assert_int_eq(a->replies[0].outcome, OUTCOME_GRANTED);
    ck_assert_uint_eq(arbiter_round_trips(a->arbiter), 1);
    client_turn(a, 50 * USEC_PER_MSEC);
    ck_assert_uint_eq(a->answers, 1);
}

#define CHAIN 100

static const char *chained;

static void send_next(struct client *c)
{
    struct request request = observe_of(chained);

    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_GRANTED);
    ck_assert(arbiter_idle(c->arbiter));
    if (c->answers < CHAIN)
        client_send(c, &request, 1, CLIENT_LIMIT);
}

TEST(the_next_tick_may_be_sent_from_the_reply)
{
    struct request request = observe_of(chained = group_new());

    a->on_replies = send_next;
    client_send(a, &request, 1, CLIENT_LIMIT);
    client_await(a, &a->answers, CHAIN);
    ck_assert_uint_eq(arbiter_round_trips(a->arbiter), CHAIN);
}

TEST(requests_are_copied)
{
    char group[GROUP_NAME_MAX + 1];

    (void)snprintf(group, sizeof group, "%s", group_new());
    struct request request = observe_of(group);
    struct reply led = client_lead(b, group);
    client_send(a, &request, 1, CLIENT_LIMIT);
    memset(group, 'x', sizeof group - 1);
    memset(&request, 0xff, sizeof request);
    client_await(a, &a->answers, 1);
    same_record(&a->replies[0].record, &led.record);
}

TEST(a_freed_arbiter_answers_no_more)
{
    struct request request = observe_of(group_new());

    client_send(a, &request, 1, CLIENT_LIMIT);
    a->arbiter = arbiter_free(a->arbiter);
    client_turn(a, 100 * USEC_PER_MSEC);
    ck_assert_uint_eq(a->answers, 0);
    ck_assert_uint_eq(a->losses, 0);
    ck_assert_ptr_null(arbiter_free(NULL));
}
