/* SPDX-License-Identifier: Apache-2.0 */
/* What must never happen: a loop without rest, and values that there are not. */
#include <stdio.h>

#include "fixture.h"

TEST_CASE(never, .set_up = set_up);

/* ---- no rest is not worth a loop ---- */

static void busy_nothing(void)
{
}
static void busy_unfit(void)
{
    free_record();
    f.fit = false;
}
static void busy_no_slot(void)
{
    free_record();
    f.may_claim = false;
}
static void busy_not_ready(void)
{
    free_record();
    f.host.guarded = false;
}
static void busy_free(void)
{
    free_record();
}
static void busy_tiny_lease(void)
{
    f.row.lease = 1;
}
static void busy_confirming_unfit(void)
{
    confirming();
    f.fit = false;
}
static void busy_leading_unfit(void)
{
    leading();
    f.fit = false;
}
static void busy_tiny_keeper(void)
{
    own(&f.row, ME);
    keeper_lives(TERM);
    f.host.keeper_duration = 1;
    f.host.keeper_deadline = USEC_INFINITY;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
}

static void busy_orphan(void)
{
    own(&f.row, ME);
}
static void busy_orphan_of_a_host_that_is_busy(void)
{
    busy_orphan();
    f.host.keeper = KEEPER_BUSY;
}

static const struct {
    void (*begin)(void);
    enum outcome outcome; /* of whatever is asked */
    bool moves;           /* another nonce each time */
} busy[] = {
    {busy_nothing, OUTCOME_GRANTED, false},
    {busy_nothing, OUTCOME_GRANTED, true},
    {busy_nothing, OUTCOME_UNKNOWN, false},
    {busy_unfit, OUTCOME_GRANTED, false},
    {busy_no_slot, OUTCOME_GRANTED, false},
    {busy_not_ready, OUTCOME_GRANTED, false},
    {busy_free, OUTCOME_DENIED, false},
    {busy_free, OUTCOME_DENIED, true},
    {busy_free, OUTCOME_UNKNOWN, false},
    {busy_tiny_lease, OUTCOME_GRANTED, false},
    {busy_tiny_lease, OUTCOME_DENIED, false},
    {confirming, OUTCOME_UNKNOWN, false},
    {busy_confirming_unfit, OUTCOME_UNKNOWN, false},
    {busy_leading_unfit, OUTCOME_UNKNOWN, false},
    {adopting, OUTCOME_UNKNOWN, false},
    {busy_tiny_keeper, OUTCOME_UNKNOWN, false},
    {busy_tiny_keeper, OUTCOME_GRANTED, true},
    {releasing, OUTCOME_UNKNOWN, false},
    {releasing, OUTCOME_DENIED, true},
    {releasing, OUTCOME_OTHER_NONCE, true},
    {busy_orphan, OUTCOME_GRANTED, false},
    {busy_orphan, OUTCOME_GRANTED, true},
    {busy_orphan_of_a_host_that_is_busy, OUTCOME_GRANTED, false},
    {adopting, OUTCOME_GRANTED, true},
    {adopting, OUTCOME_OTHER_NONCE, true},
    {ending, OUTCOME_UNKNOWN, false},
};

/* An arbiter that answers in no time, whatever it says, is asked at most 40 times a second; and
 * what wakes for nothing wakes later the next time. */
TEST(never_spins, EACH(busy))
{
    unsigned questions = 0, timers = 0;
    usec_t end;

    busy[_i].begin();
    end = f.now + 5 * SEC;
    look();
    while (questions + timers <= 300) {
        usec_t next = usec_min(member_due(&f.m), member_wake(&f.m));

        if (next >= end)
            break;
        f.now = usec_max(f.now, next);
        if (member_wake(&f.m) <= f.now) {
            timers++;
            event(EVENT_CLOCK);
            continue;
        }
        questions++;
        look_asked_at(f.now - 1);
        ask();
        if (busy[_i].moves)
            f.row.nonce = next_nonce();
        if (f.m.in_flight)
            answer(busy[_i].outcome);
    }
    ck_assert_uint_le(questions, 200);
    ck_assert_uint_le(timers, 5 * 4 + 1);
}

/* ---- what must never happen, and moves nothing when it does ---- */

TEST(no_event_that_there_is_not)
{
    struct member before;

    leading();
    before = f.m;
    event((enum member_event_type)(EVENT_RESUME + 1));
    ck_assert_mem_eq(&f.m, &before, sizeof before);
    ck_assert_uint_eq(f.u.actions, 0);
}

/* What the daemon owes: each event as it must not come. */
TEST(events_that_do_not_fit)
{
    struct host_state l = {.asked_at = f.now + 1};
    struct host_state no_term = {.asked_at = f.now, .keeper_term = (uint64_t)INT64_MAX + 1};
    struct reply r = {.outcome = OUTCOME_UNKNOWN};
    struct budget short_lease = {.lease = 1, .duration = BUDGET_RENEW_MIN_USEC};
    struct member_event e[] = {
        {.type = EVENT_REPLY, .now = f.now, .reply = &r}, /* nothing was asked */
        {.type = EVENT_HOST, .now = f.now},
        {.type = EVENT_HOST, .now = f.now, .host = &l}, /* asked later than now */
        {.type = EVENT_HOST, .now = f.now, .host = &no_term},
        {.type = EVENT_RESUME, .now = f.now},
        {.type = EVENT_RESUME, .now = f.now, .budget = &short_lease},
        {.type = EVENT_CLOCK, .now = MEMBER_TIME_MAX + 1},
        {.type = EVENT_CLOCK, .now = f.m.since - 1}, /* time runs backwards */
        {.type = EVENT_SEND},                        /* asked already */
        {.type = EVENT_REPLY},                       /* nothing is answered */
        {.type = EVENT_REPLY, .reply = &r},          /* before it was asked */
    };
    unsigned n = 0;

    for (; n < 8; n++)
        ck_assert_msg(!member_event_fits(&f.m, &e[n]), "event %u", n);
    f.now = member_due(&f.m);
    ask();
    ck_assert(f.m.in_flight);
    for (; n < sizeof e / sizeof e[0]; n++) {
        e[n].now = f.now - (n == 10);
        ck_assert_msg(!member_event_fits(&f.m, &e[n]), "event %u", n);
    }
    e[9].reply = &r;
    ck_assert(member_event_fits(&f.m, &e[9]));
}

/* An answer is believed when it is one to the question, and the asker's. */
TEST(replies_that_do_not_fit)
{
    struct request q = {.operation = OPERATION_CLAIM,
                        .expected_term = 4,
                        .term_floor = ((uint64_t)1 << TERM_TIMELINE_SHIFT) + 1,
                        .lease = 15 * SEC,
                        .stop = 5 * SEC,
                        .duration = 8 * SEC};
    const struct reply good = {.outcome = OUTCOME_GRANTED,
                               .has_record = true,
                               .record = {.term = q.term_floor,
                                          .owner = "a/1",
                                          .lease = q.lease,
                                          .stop = q.stop,
                                          .duration = q.duration},
                               .epoch = {.system_id = 7, .timeline = 1}};
    struct reply bad[9];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        bad[i] = good;
    bad[0].record.term--;
    bad[1].record.lease++;
    bad[2].record.owner[0] = 'b';
    bad[3].record.nonce.bytes[15] = 1;
    bad[4].record.clean = true;
    bad[5].record.claimable = true;
    bad[6].epoch.timeline = 0;
    bad[7].has_record = false;
    bad[8].outcome = OUTCOME_UNKNOWN;
    ck_assert(reply_fits(&q, "a/1", &good));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!reply_fits(&q, "a/1", &bad[i]), "reply %zu", i);
}

/* Another nonce than was named, in the very record that was asked for. */
TEST(other_nonces_that_do_not_fit)
{
    struct request q = {.operation = OPERATION_RENEW, .term = 5, .n_known = 2};
    const struct reply good = {
        .outcome = OUTCOME_OTHER_NONCE,
        .has_record = true,
        .record = {.term = 5, .owner = "a/1", .nonce = {{3}}, .lease = 1, .duration = 1},
        .epoch = {.system_id = 7, .timeline = 1}};
    struct reply bad[6];

    q.known[0] = (struct nonce){{1}};
    q.known[1] = (struct nonce){{2}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        bad[i] = good;
    bad[0].record.term++;
    bad[1].record.owner[0] = 'b';
    bad[2].record.nonce = q.known[1];
    bad[3].record.clean = true;
    bad[4].has_record = false;
    bad[5].epoch.timeline = 0;
    for (q.operation = OPERATION_RENEW; q.operation <= OPERATION_RELEASE; q.operation++) {
        ck_assert(reply_fits(&q, "a/1", &good));
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
            ck_assert_msg(!reply_fits(&q, "a/1", &bad[i]), "reply %zu", i);
    }
    q.operation = OPERATION_OBSERVE;
    ck_assert(!reply_fits(&q, "a/1", &good));
    q.operation = OPERATION_CLAIM;
    ck_assert(!reply_fits(&q, "a/1", &good));
    q.operation = OPERATION_CONFIRM_DEAD;
    ck_assert(!reply_fits(&q, "a/1", &good));
}

TEST(words_about_a_dead_node_that_do_not_fit)
{
    const struct request q = {.operation = OPERATION_CONFIRM_DEAD,
                              .expected_term = 5,
                              .fresh_nonce = {{3}},
                              .term_floor = 7,
                              .lease = 30,
                              .stop = 20,
                              .duration = 10};
    const struct reply good = {.outcome = OUTCOME_GRANTED,
                               .has_record = true,
                               .record = {.term = ((uint64_t)1 << TERM_TIMELINE_SHIFT) + 7,
                                          .nonce = {{3}},
                                          .lease = 30,
                                          .stop = 20,
                                          .duration = 10},
                               .epoch = {.system_id = 7, .timeline = 1}};
    struct reply bad[11];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        bad[i] = good;
    (void)snprintf(bad[0].record.owner, sizeof bad[0].record.owner, "a/1");
    bad[1].record.nonce = (struct nonce){{4}};
    bad[2].record.clean = true;
    bad[3].record.clean = bad[3].record.claimable = true;
    bad[4].record.term = 5;
    bad[5].record.term = 6;
    bad[6].record.term = (uint64_t)1 << TERM_TIMELINE_SHIFT;
    bad[7].record.lease--;
    bad[8].record.stop++;
    bad[9].record.duration++;
    bad[10].has_record = false;
    ck_assert(reply_fits(&q, "a/1", &good));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!reply_fits(&q, "a/1", &bad[i]), "reply %zu", i);
}

/* As good as none: the term goes on until its deadline, and no longer. */
TEST(no_outcome_that_there_is_not)
{
    usec_t deadline;

    leading();
    deadline = f.m.term.deadline;
    f.now = member_due(&f.m);
    ask();
    answer_without_record((enum outcome)(OUTCOME_OTHER_NONCE + 1));
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.term.deadline, deadline);
    ck_assert_uint_eq(member_wake(&f.m), deadline);
    f.now = deadline;
    event(EVENT_CLOCK);
    assert_ends(REASON_DEADLINE);
}

TEST(no_alarm_of_a_state_that_there_is_not)
{
    leading();
    f.m.state = (enum member_state)(MEMBER_RELEASING + 1);
    ck_assert_uint_eq(member_wake(&f.m), USEC_INFINITY);
    ck_assert(!member_leads(&f.m));
}

/* ---- words ---- */

TEST(texts)
{
    for (int s = MEMBER_STANDBY; s <= MEMBER_RELEASING; s++) {
        ck_assert_str_ne(member_state_name((enum member_state)s), "?");
        for (int t = MEMBER_STANDBY; t < s; t++)
            ck_assert_str_ne(member_state_name((enum member_state)s),
                             member_state_name((enum member_state)t));
    }
    ck_assert_str_eq(member_reason_text(REASON_NONE), "");
    for (int r = REASON_STOPPED; r <= REASON_COPY; r++) {
        ck_assert_str_ne(member_reason_text((enum member_reason)r), "?");
        for (int q = REASON_NONE; q < r; q++)
            ck_assert_str_ne(member_reason_text((enum member_reason)r),
                             member_reason_text((enum member_reason)q));
    }
}

TEST(no_name_for_what_there_is_not)
{
    ck_assert_str_eq(member_state_name((enum member_state)(MEMBER_RELEASING + 1)), "?");
    ck_assert_str_eq(member_reason_text((enum member_reason)(REASON_COPY + 1)), "?");
}
