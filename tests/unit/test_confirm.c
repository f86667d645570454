/* SPDX-License-Identifier: Apache-2.0 */
/* An operator's word about a node: which record it may be acted out on, when, and as what. */
#include <stdio.h>
#include <string.h>

#include "election/confirm.h"
#include "support/test.h"

#define SEC USEC_PER_SEC
#define NOW (1000 * SEC)
#define L (15 * SEC)
#define S (5 * SEC)
#define TERM ((UINT64_C(3) << TERM_TIMELINE_SHIFT) + 7)
#define FLOOR (TERM + 1)

static struct confirm c;
static struct reply seen;
static struct request q;
static const struct nonce fresh = {{0xaa}}, other = {{0xbb}};

static void set_up(void)
{
    seen = (struct reply){
        .outcome = OUTCOME_GRANTED,
        .has_record = true,
        .record = {.term = TERM, .owner = "n1/1", .nonce = {{1}}, .lease = L, .stop = S},
        .epoch = {.system_id = 7, .timeline = 3, .started = 9},
    };
    seen.record.duration = 8670 * USEC_PER_MSEC;
    confirm_begin(&c, "n1");
}

/* Asked at once, answered a little later. */
static enum confirm_state read_at(usec_t at)
{
    confirm_read(&c, &seen, at, at + USEC_PER_MSEC);
    return c.state;
}

/* Looked at each second from NOW on, up to and with that one. */
static enum confirm_state watch_for(usec_t span)
{
    for (usec_t t = 0; t <= span; t += SEC)
        (void)read_at(NOW + t);
    return c.state;
}

static void stayed_unchanged(void)
{
    ck_assert_int_eq(watch_for(CONFIRM_WATCH_USEC + SEC), CONFIRM_STILL);
}

static void ask(void)
{
    ck_assert(confirm_ask(&c, L, FLOOR, &fresh, &q));
}

TEST_CASE(confirm, .set_up = set_up);

/* ---- watching ---- */

TEST(a_live_leader_renews_twice_in_it)
{
    ck_assert_uint_eq(CONFIRM_WATCH_USEC, 11 * SEC);
    ck_assert_uint_gt(CONFIRM_WATCH_USEC, 2 * BUDGET_POLL_MAX_USEC);
    ck_assert_uint_lt(CONFIRM_GAP_USEC, BUDGET_POLL_MAX_USEC);
}

/* From the answer to the first look until the last question was sent. */
TEST(it_has_to_stay_unchanged_for_all_of_it)
{
    ck_assert_int_eq(watch_for(CONFIRM_WATCH_USEC - SEC), CONFIRM_WATCHING);
    usec_t enough = NOW + USEC_PER_MSEC + CONFIRM_WATCH_USEC;
    confirm_read(&c, &seen, enough - 1, enough + SEC);
    ck_assert_int_eq(c.state, CONFIRM_WATCHING);
    confirm_read(&c, &seen, enough, enough + SEC);
    ck_assert_int_eq(c.state, CONFIRM_STILL);
}

TEST(one_look_is_not_enough)
{
    ck_assert_int_eq(read_at(NOW), CONFIRM_WATCHING);
    ck_assert_int_eq(read_at(NOW), CONFIRM_WATCHING);
}

TEST(a_gap_begins_it_again)
{
    (void)watch_for(8 * SEC);
    confirm_read(&c, &seen, NOW + 12 * SEC, NOW + 12 * SEC);
    ck_assert_int_eq(c.state, CONFIRM_WATCHING);
    ck_assert_uint_eq(c.since, NOW + 12 * SEC);
    /* Not one that is as long as it may be. */
    confirm_read(&c, &seen, NOW + 12 * SEC, NOW + 12 * SEC + CONFIRM_GAP_USEC);
    ck_assert_uint_eq(c.since, NOW + 12 * SEC);
}

TEST(any_change_by_the_node_is_life, .times = 6)
{
    (void)watch_for(_i < 5 ? 5 * SEC : CONFIRM_WATCH_USEC + SEC);
    ck_assert_int_eq(c.state, _i < 5 ? CONFIRM_WATCHING : CONFIRM_STILL);
    switch (_i) {
    case 0: /* renewed */
    case 5:
        seen.record.nonce = other;
        break;
    case 1: /* released */
        seen.record.clean = true;
        break;
    case 2: /* claimed again, by another boot of it */
        seen.record.term++;
        seen.record.nonce = other;
        (void)snprintf(seen.record.owner, sizeof seen.record.owner, "n1/2");
        break;
    case 3: /* and released */
        seen.record.term++;
        seen.record.clean = true;
        break;
    default:
        seen.record.term++;
    }
    ck_assert_int_eq(read_at(NOW + 20 * SEC), CONFIRM_ALIVE);
    /* And stays that, whatever is read. */
    ck_assert_int_eq(watch_for(20 * SEC), CONFIRM_ALIVE);
}

TEST(a_change_by_others_leaves_nothing_to_do, .times = 3)
{
    (void)watch_for(5 * SEC);
    seen.record.term++;
    seen.record.nonce = other;
    (void)snprintf(seen.record.owner, sizeof seen.record.owner, "%s",
                   _i == 0 ? "n2/1" : (_i == 1 ? "" : "n11/1"));
    ck_assert_int_eq(read_at(NOW + 6 * SEC), CONFIRM_TAKEN);
    seen.record.clean = true;
    ck_assert_int_eq(watch_for(20 * SEC), CONFIRM_TAKEN);
}

TEST(what_is_not_the_nodes, .times = 6)
{
    static const char *const owners[] = {"", "n2/1", "n11/1", "n/1", "N1/1", "n1/1"};

    (void)snprintf(seen.record.owner, sizeof seen.record.owner, "%s", owners[_i]);
    seen.record.clean = _i == 5;
    ck_assert_int_eq(watch_for(20 * SEC), CONFIRM_FREE);
    /* Another may change as it likes. */
    seen.record.nonce = other;
    ck_assert_int_eq(read_at(NOW + 21 * SEC), CONFIRM_FREE);
    /* It claims something: it lives. */
    (void)snprintf(seen.record.owner, sizeof seen.record.owner, "n1/1");
    seen.record.clean = false;
    ck_assert_int_eq(read_at(NOW + 22 * SEC), CONFIRM_ALIVE);
}

/* What was lost may be anything: it begins with what is there. */
TEST(another_life_of_the_server_begins_it_again, .times = 4)
{
    if (_i < 3)
        (void)watch_for(CONFIRM_WATCH_USEC - SEC);
    else
        stayed_unchanged();
    seen.epoch.started += _i == 0;
    seen.epoch.timeline += _i == 1 || _i == 3;
    seen.epoch.system_id += _i == 2;
    seen.record.nonce = other;
    ck_assert_int_eq(read_at(NOW + 20 * SEC), CONFIRM_WATCHING);
    ck_assert_uint_eq(c.since, NOW + 20 * SEC + USEC_PER_MSEC);
    (void)snprintf(seen.record.owner, sizeof seen.record.owner, "n2/1");
    seen.epoch.started++;
    ck_assert_int_eq(read_at(NOW + 21 * SEC), CONFIRM_FREE);
    (void)snprintf(seen.record.owner, sizeof seen.record.owner, "n1/1");
    seen.epoch.started++;
    ck_assert_int_eq(read_at(NOW + 22 * SEC), CONFIRM_WATCHING);
}

TEST(what_says_nothing_changes_nothing)
{
    const struct reply unknown = {.outcome = OUTCOME_UNKNOWN};

    confirm_read(&c, &unknown, NOW, NOW);
    ck_assert_int_eq(c.state, CONFIRM_UNREAD);
    (void)watch_for(5 * SEC);
    confirm_read(&c, &unknown, NOW + 6 * SEC, NOW + 6 * SEC);
    ck_assert_int_eq(c.state, CONFIRM_WATCHING);
    ck_assert_uint_eq(c.since, NOW + USEC_PER_MSEC);
}

/* ---- asking ---- */

TEST(what_is_asked_is_what_was_watched)
{
    stayed_unchanged();
    ask();
    ck_assert_int_eq(q.operation, OPERATION_CONFIRM_DEAD);
    ck_assert_uint_eq(q.expected_term, TERM);
    ck_assert(nonce_equal(&q.expected_nonce, &seen.record.nonce));
    ck_assert(nonce_equal(&q.fresh_nonce, &fresh));
    ck_assert(epoch_equal(&q.epoch, &seen.epoch));
    ck_assert_uint_eq(q.term_floor, FLOOR);
    ck_assert_uint_eq(q.lease, L);
    ck_assert_uint_eq(q.stop, S);
    ck_assert(budget_holds(q.lease, q.stop, q.duration));
}

TEST(asked_again_it_is_the_same)
{
    struct request first;

    stayed_unchanged();
    ask();
    first = q;
    ck_assert(confirm_ask(&c, L, FLOOR, &other, &q));
    ck_assert(nonce_equal(&q.fresh_nonce, &first.fresh_nonce));
    ck_assert(nonce_equal(&q.expected_nonce, &first.expected_nonce));
}

TEST(the_lease_is_the_largest_that_anybody_goes_by)
{
    struct record r = seen.record;

    ck_assert_uint_eq(confirm_lease(&r, L), L);
    ck_assert_uint_eq(confirm_lease(&r, L - SEC), L);
    ck_assert_uint_eq(confirm_lease(&r, L + SEC), L + SEC);
    /* A row that somebody wrote by hand: no budget holds with that S and so short a lease. */
    r.lease = 1;
    ck_assert_uint_eq(confirm_lease(&r, 1), budget_smallest_lease(S));
    r.stop = 30 * SEC;
    ck_assert_uint_eq(confirm_lease(&r, L), budget_smallest_lease(30 * SEC));
}

/* While a lease changes, the record's is whatever covers the keeper, of which no configuration
 * says anything. */
TEST(the_lease_of_a_changing_one_stays_as_it_is, .times = 3)
{
    static const usec_t configured[] = {L - SEC, L, L + SEC};
    usec_t until = 9 * SEC, kill = budget_kill(60 * SEC);
    struct record *r = &seen.record;

    r->lease = budget_covering_lease(L, S, until, kill);
    r->duration = until;
    ck_assert_uint_gt(r->lease, L);
    ck_assert_uint_ne(r->lease % (100 * USEC_PER_MSEC), 0);
    stayed_unchanged();
    ck_assert(confirm_ask(&c, configured[_i], FLOOR, &fresh, &q));
    ck_assert_uint_eq(q.lease, usec_max(r->lease, configured[_i]));
    ck_assert_uint_ge(confirm_lease(r, configured[_i]), r->lease);
    ck_assert(budget_holds(q.lease, q.stop, q.duration));
    /* What the keeper has at the most is over by then. */
    ck_assert_uint_le(until + BUDGET_SLACK_USEC + S + kill, q.lease);
}

TEST(with_the_longer_lease_goes_its_own_duration)
{
    struct budget b;

    stayed_unchanged();
    ck_assert(confirm_ask(&c, 60 * SEC, FLOOR, &fresh, &q));
    ck_assert_int_eq(budget_compute(60 * SEC, S, &b), 0);
    ck_assert_uint_eq(q.lease, b.lease);
    ck_assert_uint_eq(q.stop, b.stop);
    ck_assert_uint_eq(q.duration, b.duration);
}

TEST(no_lease_keeps_the_promise, .times = 3)
{
    static const usec_t stops[] = {0, BUDGET_STOP_MAX_USEC + 1, INT64_MAX};

    seen.record.stop = stops[_i];
    stayed_unchanged();
    ck_assert(!confirm_ask(&c, L, FLOOR, &fresh, &q));
    ck_assert(!c.asked);
}

/* ---- the answer ---- */

static struct reply granted(void)
{
    struct reply r = seen;

    r.record.term = FLOOR;
    r.record.owner[0] = '\0';
    r.record.nonce = q.fresh_nonce;
    return r;
}

TEST(granted_is_done, .times = 2)
{
    struct reply r;

    stayed_unchanged();
    ask();
    r = granted();
    if (_i == 1) /* an earlier try, whose answer was lost */
        r.outcome = OUTCOME_DENIED;
    confirm_answer(&c, &r, NOW + 20 * SEC, NOW + 20 * SEC);
    ck_assert_int_eq(c.state, CONFIRM_DONE);
    ck_assert_uint_eq(c.record.term, FLOOR);
    ck_assert_int_eq(read_at(NOW + 30 * SEC), CONFIRM_DONE);
    confirm_answer(&c, &seen, NOW + 31 * SEC, NOW + 31 * SEC);
    ck_assert_int_eq(c.state, CONFIRM_DONE);
}

/* Also when that try was of an earlier life of the server. */
TEST(done_before_a_restart_is_done)
{
    struct reply r;

    stayed_unchanged();
    ask();
    r = granted();
    r.outcome = OUTCOME_DENIED;
    r.epoch.started++;
    confirm_answer(&c, &r, NOW + 20 * SEC, NOW + 20 * SEC);
    ck_assert_int_eq(c.state, CONFIRM_DONE);
}

TEST(unknown_is_neither)
{
    const struct reply unknown = {.outcome = OUTCOME_UNKNOWN};

    stayed_unchanged();
    ask();
    confirm_answer(&c, &unknown, NOW + 13 * SEC, NOW + 13 * SEC);
    ck_assert_int_eq(c.state, CONFIRM_STILL);
    ask();
}

TEST(denied_says_why, .times = 4)
{
    struct reply r;

    stayed_unchanged();
    ask();
    r = seen;
    r.outcome = OUTCOME_DENIED;
    r.record.nonce = other;
    if (_i == 1) {
        r.record.term++;
        (void)snprintf(r.record.owner, sizeof r.record.owner, "n2/1");
    } else if (_i == 2)
        r.epoch.started++;
    else if (_i == 3)
        r.has_record = false;
    confirm_answer(&c, &r, NOW + 13 * SEC, NOW + 13 * SEC);
    static const enum confirm_state expected[] = {CONFIRM_ALIVE, CONFIRM_TAKEN, CONFIRM_WATCHING,
                                                  CONFIRM_STILL};
    ck_assert_int_eq(c.state, expected[_i]);
}

TEST(watched_again_it_is_another_question)
{
    stayed_unchanged();
    ask();
    seen.epoch.started++;
    (void)watch_for(CONFIRM_WATCH_USEC + SEC);
    ck_assert_int_eq(c.state, CONFIRM_STILL);
    ck_assert(confirm_ask(&c, L, FLOOR, &other, &q));
    ck_assert(nonce_equal(&q.fresh_nonce, &other));
    ck_assert(epoch_equal(&q.epoch, &seen.epoch));
}

TEST(no_answer_without_a_question)
{
    (void)watch_for(5 * SEC);
    seen.record.nonce = other;
    confirm_answer(&c, &seen, NOW + 6 * SEC, NOW + 6 * SEC);
    ck_assert_int_eq(c.state, CONFIRM_WATCHING);
}

/* ---- how long units may run there ---- */

/* The keeper's clock a thousandth slow, this one's a thousandth fast. */
static usec_t shown(usec_t span)
{
    return (span * 1001 + 998) / 999;
}

TEST(until_when_units_may_run)
{
    const struct record *r = &seen.record;

    ck_assert_uint_eq(confirm_runs_until(r, NOW),
                      NOW + shown(r->duration + BUDGET_SLACK_USEC + S + budget_kill(L)));
    ck_assert_uint_gt(confirm_runs_until(r, NOW),
                      NOW + r->duration + BUDGET_SLACK_USEC + S + budget_kill(L));
    ck_assert_uint_le(confirm_runs_until(r, NOW), NOW + L);
    ck_assert_uint_eq(confirm_runs_until(r, USEC_INFINITY), USEC_INFINITY);
}

/* Its lease was shortened: the keeper has the K of the longer one yet. */
TEST(until_when_units_may_run_after_a_longer_lease)
{
    struct record *r = &seen.record;

    r->lease = 7 * SEC;
    r->stop = 2 * SEC;
    r->duration = 3 * SEC;
    usec_t kill = budget_room(r->lease, r->stop, r->duration);
    ck_assert_uint_eq(kill, BUDGET_KILL_MAX_USEC);
    ck_assert_uint_lt(budget_kill(r->lease), kill);
    ck_assert_uint_eq(confirm_runs_until(r, NOW),
                      NOW + shown(3 * SEC + BUDGET_SLACK_USEC + 2 * SEC + kill));
    ck_assert_uint_le(confirm_runs_until(r, NOW), NOW + r->lease);
}

/* A row that somebody wrote by hand. */
TEST(until_when_of_what_is_no_lease)
{
    struct record *r = &seen.record;

    r->lease = r->stop = r->duration = INT64_MAX;
    ck_assert_uint_eq(confirm_runs_until(r, 1), USEC_INFINITY);
    r->lease = L;
    r->stop = S;
    r->duration = 20 * SEC;
    ck_assert_uint_eq(confirm_runs_until(r, NOW),
                      NOW + shown(20 * SEC + BUDGET_SLACK_USEC + S + budget_kill(L)));
}

TEST(names_of_nodes)
{
    ck_assert(confirm_is_of("n1/1", "n1"));
    ck_assert(!confirm_is_of("n1/1", "n"));
    ck_assert(!confirm_is_of("n1/1", "n11"));
    ck_assert(!confirm_is_of("n1", "n1"));
    ck_assert(!confirm_is_of("", ""));
    ck_assert(!confirm_is_of("/1", ""));
}
