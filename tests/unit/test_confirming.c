/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent makes of an operator's word about a node that leads several configs:
 * daemon/confirm.c by itself, with an arbiter, a bus and a clock that the test plays. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/clock.h"
#include "daemon/confirm.h"
#include "daemon/group.h"
#include "daemon/journal.h"
#include "support/test.h"
#include "support/text.h"

#define SEC USEC_PER_SEC
#define TERM ((UINT64_C(3) << TERM_TIMELINE_SHIFT) + 7)
#define N 3
#define LATENCY USEC_PER_MSEC

static usec_t now;
static struct daemon d;
static struct tenure_config config = {.node = "n2"};
static struct config_group configs[N] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
static struct group groups[N];
static struct group *list[N];
static struct request asked[N];
static size_t n_asked, n_sent;
static struct reply seen[N]; /* by group */
static const char *holder[N];
static char answer[2048], journal[2048];
static size_t n_answers, n_confirmed;
static char caller; /* whose address is the call */
#define CALL ((struct api_call *)(void *)&caller)

/* ---- what confirm.c needs of the others ---- */

usec_t clock_boottime(void)
{
    return now;
}

usec_t clock_monotonic(void)
{
    return now;
}

void daemon_wake(struct daemon *daemon)
{
    (void)daemon;
}

void group_event(struct group *g, enum member_event_type type)
{
    (void)g;
    (void)type;
}

bool arbiter_idle(const struct arbiter *a)
{
    (void)a;
    return n_asked == 0;
}

int arbiter_send(struct arbiter *a, const struct request *requests, size_t n, usec_t limit)
{
    (void)a;
    (void)limit;
    ck_assert(d.connected);
    memcpy(asked, requests, n * sizeof *requests);
    n_asked = n;
    n_sent++;
    return 0;
}

void journal_write(int priority, const struct journal_context *c, const char *format, ...)
{
    va_list ap;

    (void)priority;
    (void)c;
    size_t used = strlen(journal);
    va_start(ap, format);
    (void)vsnprintf(journal + used, sizeof journal - used, format, ap);
    va_end(ap);
}

void api_call_failed(struct api_call *call, const char *error_name, const char *text)
{
    ck_assert_ptr_eq(call, CALL);
    (void)snprintf(answer, sizeof answer, "%s: %s", error_name, text);
    n_answers++;
}

void api_call_confirmed(struct api_call *call, const struct api_confirmed *confirmed, size_t n)
{
    ck_assert_ptr_eq(call, CALL);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(answer);

        (void)snprintf(answer + used, sizeof answer - used, "%s(%s) ", confirmed[i].group,
                       confirmed[i].note);
    }
    n_confirmed = n;
    n_answers++;
}

/* ---- playing ---- */

static void set_up(void)
{
    now = 1000 * SEC;
    for (size_t i = 0; i < N; i++) {
        ck_assert_int_eq(budget_compute(15 * SEC, 5 * SEC, &configs[i].budget), 0);
        groups[i] = (struct group){.daemon = &d, .config = &configs[i]};
        groups[i].member.budget = configs[i].budget;
        list[i] = &groups[i];
        seen[i] = (struct reply){
            .outcome = OUTCOME_GRANTED,
            .has_record = true,
            .record = {.term = TERM, .owner = "n1/1", .nonce = {{1}}, .lease = 15 * SEC},
            .epoch = {.system_id = 7, .timeline = 3, .started = 9},
        };
        seen[i].record.stop = 5 * SEC;
        seen[i].record.duration = configs[i].budget.duration;
    }
    d = (struct daemon){.config = &config,
                        .arbiter = (struct arbiter *)(void *)&caller,
                        .connected = true,
                        .fit = true,
                        .groups = list,
                        .n_groups = N};
    confirm_start(&d, CALL, "n1", 4711);
}

static size_t group_of(const struct request *q)
{
    return (size_t)(q->group[0] - 'a');
}

/* Granted, unless somebody holds it. */
static void take(const struct request *q, struct reply *r)
{
    if (q->expected_term != r->record.term || !nonce_equal(&q->expected_nonce, &r->record.nonce))
        return;
    r->record.term++;
    r->record.owner[0] = '\0';
    r->record.nonce = q->fresh_nonce;
}

/* What was asked is answered; lost: by nothing, and the connection is gone. */
static void reply_to_all(bool lost)
{
    struct reply replies[N];
    size_t n = n_asked;

    now += lost ? d.limit : LATENCY;
    for (size_t i = 0; i < n; i++) {
        size_t g = group_of(&asked[i]);
        bool takes = asked[i].operation == OPERATION_CONFIRM_DEAD;

        if (takes && !lost && !holder[g])
            take(&asked[i], &seen[g]);
        replies[i] = seen[g];
        if (lost || (takes && holder[g] && seen[g].record.term == TERM))
            replies[i] = (struct reply){.outcome = OUTCOME_UNKNOWN};
        if (takes && holder[g] && !lost)
            confirm_held_up(&d, i, holder[g]);
    }
    n_asked = 0;
    d.connected = !lost;
    confirm_replies(&d, replies, n);
    confirm_continue(&d, now);
}

/* On to when the next question is due. */
static void turn(void)
{
    usec_t due = confirm_due(&d);

    ck_assert_uint_ne(due, USEC_INFINITY);
    now = usec_max(now, due);
    confirm_continue(&d, now);
}

static void watch_until_asked(void)
{
    for (int i = 0; i < 100 && !d.confirming.asks; i++) {
        if (n_asked == 0)
            turn();
        reply_to_all(false);
    }
    ck_assert(d.confirming.asks);
    ck_assert_uint_gt(n_asked, 0);
    ck_assert_uint_eq(n_answers, 0);
}

static void finish(void)
{
    for (int i = 0; i < 100 && n_answers == 0; i++) {
        if (n_asked == 0)
            turn();
        if (n_asked > 0)
            reply_to_all(false);
    }
    ck_assert_uint_eq(n_answers, 1);
    ck_assert_ptr_null(d.confirming.call);
}

TEST_CASE(confirming, .set_up = set_up);

TEST(all_are_watched_and_taken)
{
    usec_t begun = now;

    watch_until_asked();
    ck_assert_uint_ge(now - begun, CONFIRM_WATCH_USEC);
    ck_assert_uint_eq(n_asked, N);
    finish();
    ck_assert_str_eq(answer, "a() b() c() ");
    ck_assert_uint_eq(n_confirmed, N);
    ASSERT_CONTAINS(journal, "a: user 4711 vouches that \"n1\" is dead: term ");
}

/* Done, locked and alive: all that was done is named. */
TEST(done_locked_and_alive)
{
    holder[1] = "process 7 has it";
    watch_until_asked();
    reply_to_all(false); /* a and c are done */
    ck_assert_uint_eq(n_answers, 0);
    seen[1].record.nonce.bytes[0]++;
    holder[1] = NULL;
    finish();
    ASSERT_CONTAINS(answer, API_ERROR_REFUSED ": it lives: the record of group \"b\"");
    ASSERT_CONTAINS(answer, ". Done before that, for \"a\", \"c\"");
    ck_assert_ptr_null(strstr(answer, "may have been done"));
}

TEST(what_is_locked_is_not_waited_for_for_ever)
{
    holder[2] = "process 7 has it";
    watch_until_asked();
    usec_t begun = now;
    finish();
    ck_assert_uint_le(now - begun, CONFIRM_WAIT_USEC + SEC);
    ASSERT_CONTAINS(answer, API_ERROR_FAILED ": what has the record of group \"c\" locked: process "
                                             "7 has it. Done before that, for \"a\", \"b\"");
    ck_assert_ptr_null(strstr(answer, "may have been done"));
}

/* A session that has the lock still, of one that is done: the journal has it, too. */
TEST(what_is_left_to_do_is_in_the_journal)
{
    watch_until_asked();
    confirm_held_up(&d, 1, "process 7 has the lock");
    finish();
    ck_assert_str_eq(answer, "a() b(process 7 has the lock) c() ");
    ASSERT_CONTAINS(journal, "b: user 4711");
    ASSERT_CONTAINS(journal, "ms has expired; process 7 has the lock");
}

/* ---- looks ---- */

TEST(after_the_first_look_only_what_is_watched_is_looked_at)
{
    (void)snprintf(seen[1].record.owner, sizeof seen[1].record.owner, "n3/1");
    turn();
    ck_assert_uint_eq(n_asked, N);
    reply_to_all(false);
    turn();
    ck_assert_uint_eq(n_asked, N - 1);
    ck_assert_uint_eq(group_of(&asked[0]), 0);
    ck_assert_uint_eq(group_of(&asked[1]), 2);
    finish();
    ck_assert_str_eq(answer, "a() c() ");
}

/* Before a promotion a claim of the node's was lost, or not. */
TEST(in_another_life_of_the_server_all_are_looked_at_again)
{
    (void)snprintf(seen[1].record.owner, sizeof seen[1].record.owner, "n3/1");
    turn();
    reply_to_all(false);
    (void)snprintf(seen[1].record.owner, sizeof seen[1].record.owner, "n1/1");
    for (size_t i = 0; i < N; i++)
        seen[i].epoch.started++;
    turn();
    ck_assert_uint_eq(n_asked, N - 1);
    reply_to_all(false);
    turn();
    ck_assert_uint_eq(n_asked, N);
    finish();
    ck_assert_str_eq(answer, "a() b() c() ");
}

/* Each costs the connection, and those that lead here need it. */
TEST(after_a_look_without_an_answer_the_next_is_left_out)
{
    turn();
    reply_to_all(false);
    turn();
    usec_t begun = now;
    ck_assert_uint_gt(d.limit, SEC);
    reply_to_all(true);
    d.connected = true;
    usec_t answered = now;
    ck_assert_uint_ge(answered, begun + d.limit);
    turn();
    ck_assert_uint_eq(now, answered + SEC);
    ck_assert_uint_eq(n_asked, N);
    finish();
    ck_assert_uint_eq(n_confirmed, N);
}

/* ---- what goes wrong ---- */

/* Not asked again and again, each time at the expense of the connection. */
TEST(an_arbiter_that_is_lost_while_it_is_asked_ends_it)
{
    watch_until_asked();
    (void)snprintf(d.arbiter_text, sizeof d.arbiter_text, "the schema is older");
    size_t sent = n_sent;
    reply_to_all(true);
    ck_assert_uint_eq(n_sent, sent);
    ck_assert_uint_eq(n_answers, 1);
    ASSERT_CONTAINS(answer,
                    API_ERROR_FAILED ": the arbiter cannot be reached: the schema is older. "
                                     "It may have been done (see tenurectl status), for "
                                     "\"a\", \"b\", \"c\"");
}

TEST(an_arbiter_that_is_lost_while_it_is_watched_is_named)
{
    turn();
    reply_to_all(true);
    (void)snprintf(d.arbiter_text, sizeof d.arbiter_text, "no route");
    ck_assert_uint_eq(n_answers, 0);
    turn();
    ck_assert_uint_eq(n_answers, 1);
    ASSERT_CONTAINS(answer, ": the arbiter cannot be reached: no route");
    ck_assert_ptr_null(strstr(answer, "may have been done"));
}

/* Of a record that somebody has changed by hand, or that a later version wrote: by which of the
 * two, the agent cannot know. */
TEST(what_no_lease_goes_with_is_named, .times = 2)
{
    if (_i == 0)
        seen[1].record.lease = 49 * 3600 * SEC;
    else
        seen[1].record.stop = BUDGET_STOP_MAX_USEC + SEC;
    finish();
    ASSERT_CONTAINS(answer,
                    API_ERROR_FAILED ": no lease that this version knows goes with the lease of ");
    ASSERT_CONTAINS(answer,
                    _i == 0 ? " 176400 s and the stop timeout of 5 s in the record of group \"b\". "
                              "Done before that, for \"a\", \"c\""
                            : " 15 s and the stop timeout of 43201 s in the record of group \"b\"");
    ck_assert_ptr_null(strstr(answer, "may have been done"));
}

/* Not Busy: to try again does not help. */
TEST(by_a_clock_or_a_server_that_is_wrong_nothing_is_taken, .times = 2)
{
    if (_i == 1)
        groups[2].member.highest_term = UINT64_C(4) << TERM_TIMELINE_SHIFT;
    groups[2].member.seen.record = seen[2].record;
    groups[2].member.seen.epoch = seen[2].epoch;
    turn();
    reply_to_all(false);
    d.fit = _i == 1;
    finish();
    ASSERT_CONTAINS(answer, _i == 0 ? API_ERROR_FAILED ": this host's clock cannot be trusted"
                                    : API_ERROR_FAILED
                                ": the arbiter is a primary that was replaced");
    for (size_t i = 0; i < N; i++)
        ck_assert_uint_eq(seen[i].record.term, TERM);
}

TEST(abandoned_it_may_have_been_done, .times = 2)
{
    if (_i == 0)
        turn();
    else
        watch_until_asked();
    confirm_abandon(&d, "the agent ends");
    ck_assert_uint_eq(n_answers, 1);
    ASSERT_CONTAINS(answer, API_ERROR_BUSY ": the agent ends");
    ck_assert_int_eq(strstr(answer, "It may have been done") != NULL, _i == 1);
}

/* Another life of the server, shown by the first answer to what was asked: watched again, for as
 * long as at first. */
TEST(watched_again_there_is_time_for_it)
{
    watch_until_asked();
    for (size_t i = 0; i < N; i++) {
        holder[i] = "nobody";
        seen[i].epoch.started++;
        seen[i].outcome = OUTCOME_DENIED;
        seen[i].record.term++; /* so that it is not taken yet */
    }
    reply_to_all(false);
    memset(holder, 0, sizeof holder);
    ck_assert(!d.confirming.asks);
    watch_until_asked();
    finish();
    ck_assert_uint_eq(n_confirmed, N);
}

/* ---- the caller ---- */

TEST(without_its_caller_it_is_not_begun, .times = 2)
{
    static char other;

    turn();
    if (_i == 1)
        watch_until_asked();
    confirm_caller_gone(&d, (const struct api_call *)(const void *)&other);
    ck_assert_uint_eq(n_answers, 0);
    confirm_caller_gone(&d, CALL);
    if (_i == 0) {
        ASSERT_CONTAINS(answer, "the caller has gone away while the records were watched");
        ck_assert_ptr_null(d.confirming.call);
        reply_to_all(false); /* into the void */
        ck_assert_uint_eq(n_answers, 1);
        return;
    }
    ck_assert_uint_eq(n_answers, 0); /* it was asked for: finished, and in the journal */
    finish();
    ck_assert_uint_eq(n_confirmed, N);
}
