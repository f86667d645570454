/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule of the keeper at its boundary and one microsecond to either side. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "keeper/rules.h"
#include "support/test.h"

#define NOW ((usec_t)1000000000)
#define L ((usec_t)15000000)
#define S ((usec_t)5000000)
#define D ((usec_t)8670000)
#define TERM ((uint64_t)4294967297)

static struct ticket good_ticket(void)
{
    return (struct ticket){
        .version = TICKET_VERSION,
        .group = "billing",
        .node = "db1",
        .owner = "db1/x",
        .term = TERM,
        .lease = L,
        .stop = S,
        .duration = D,
        .deadline = NOW + D,
    };
}

static struct keeper leading(usec_t deadline)
{
    struct ticket t = good_ticket();

    t.deadline = deadline;
    return keeper_begin(&t);
}

static const struct keeper_message good_message = {
    .magic = KEEPER_MESSAGE_MAGIC,
    .verb = KEEPER_EXTEND,
    .term = TERM,
    .deadline = NOW + D,
    .lease = L,
    .duration = D,
};

static bool keepers_equal(const struct keeper *a, const struct keeper *b)
{
    return a->version == b->version && a->phase == b->phase && a->reason == b->reason &&
           a->term == b->term && a->lease == b->lease && a->stop == b->stop &&
           a->duration == b->duration && a->deadline == b->deadline && a->ended == b->ended;
}

/* ---- the ticket ---- */

TEST_CASE(ticket);

static const struct {
    usec_t deadline;
    enum ticket_verdict verdict;
} ticket_deadlines[] = {
    {0, TICKET_TOO_LATE},          {NOW - 1, TICKET_TOO_LATE},      {NOW, TICKET_TOO_LATE},
    {NOW + 1, TICKET_GOOD},        {NOW + D - 1, TICKET_GOOD},      {NOW + D, TICKET_GOOD},
    {NOW + D + 1, TICKET_TOO_FAR}, {USEC_INFINITY, TICKET_TOO_FAR},
};

TEST(ticket_deadline, EACH(ticket_deadlines))
{
    struct ticket t = good_ticket();

    t.deadline = ticket_deadlines[_i].deadline;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), ticket_deadlines[_i].verdict);
}

TEST(ticket_group_and_term)
{
    struct ticket t = good_ticket();

    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_GOOD);
    ck_assert_int_eq(keeper_judge_ticket(&t, "billin", NOW), TICKET_OTHER_GROUP);
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing2", NOW), TICKET_OTHER_GROUP);
    t.term = 0;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_BAD_TERM);
    t.term = 1;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_GOOD);
    t.term = INT64_MAX;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_GOOD);
    t.term++;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_BAD_TERM);
}

TEST(ticket_budget)
{
    struct ticket t = good_ticket();

    t.duration = D + 1;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_BROKEN_BUDGET);
    t = good_ticket();
    t.stop = S + 1;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_BROKEN_BUDGET);
    t = good_ticket();
    t.lease = L - 1;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_BROKEN_BUDGET);
    t = good_ticket();
    t.duration = USEC_INFINITY;
    t.deadline = USEC_INFINITY;
    ck_assert_int_eq(keeper_judge_ticket(&t, "billing", NOW), TICKET_BROKEN_BUDGET);
}

TEST(ticket_begins_a_term)
{
    struct ticket t = good_ticket();
    struct keeper k = keeper_begin(&t);

    ck_assert_int_eq(k.phase, KEEPER_LEADING);
    ck_assert_int_eq(k.reason, KEEPER_END_NONE);
    ck_assert_uint_eq(k.deadline, NOW + D);
    ck_assert_uint_eq(k.stop, S);
    ck_assert_uint_eq(keeper_kill_time(&k), USEC_INFINITY);
}

/* ---- extensions ---- */

TEST_CASE(extensions);

/* The keeper's deadline is NOW + 1000; the message is read at `read`. */
static const struct {
    const char *what;
    usec_t read;
    usec_t deadline;
    enum message_verdict verdict;
} extensions[] = {
    {"a good one", NOW, NOW + D, MESSAGE_EXTENDED},
    {"read just in time", NOW + 999, NOW + D, MESSAGE_EXTENDED},
    {"read at the deadline", NOW + 1000, NOW + D, MESSAGE_TOO_LATE},
    {"read after the deadline", NOW + 1001, NOW + D, MESSAGE_TOO_LATE},
    {"one later", NOW, NOW + 1001, MESSAGE_EXTENDED},
    {"the same, repeated", NOW, NOW + 1000, MESSAGE_REPEATED},
    {"an earlier one", NOW, NOW + 999, MESSAGE_NOT_LATER},
    {"nothing", NOW, 0, MESSAGE_NOT_LATER},
    {"exactly D ahead", NOW + 5, NOW + 5 + D, MESSAGE_EXTENDED},
    {"more than D ahead", NOW + 5, NOW + 6 + D, MESSAGE_TOO_FAR},
    {"for ever", NOW, USEC_INFINITY, MESSAGE_TOO_FAR},
};

TEST(extension, EACH(extensions))
{
    struct keeper k = leading(NOW + 1000), before = k;
    struct keeper_message m = good_message;

    m.deadline = extensions[_i].deadline;
    enum message_verdict v = keeper_receive(&k, &m, sizeof m, true, extensions[_i].read);
    ck_assert_msg(v == extensions[_i].verdict, "%s: %s", extensions[_i].what,
                  message_verdict_text(v));
    if (v == MESSAGE_EXTENDED)
        before.deadline = extensions[_i].deadline;
    ck_assert(keepers_equal(&k, &before));
}

/* L and D come with the deadline, and count only if they add up with the term's S. Of two messages
 * to one deadline the shorter lease counts, whichever comes first. */
static const struct {
    const char *what;
    usec_t deadline, lease, duration;
    enum message_verdict verdict;
} new_spans[] = {
    {"a longer lease", NOW + 2 * D, 2 * L, 2 * D, MESSAGE_EXTENDED},
    {"a longer lease, further ahead than its D", NOW + 2 * D + 1, 2 * L, 2 * D, MESSAGE_TOO_FAR},
    {"a longer D of the same lease", NOW + D, L, 2 * D, MESSAGE_BROKEN_BUDGET},
    {"no lease", NOW + D, 0, D, MESSAGE_BROKEN_BUDGET},
    {"no D", NOW + D, L, 0, MESSAGE_BROKEN_BUDGET},
    {"a lease beyond all bounds", NOW + D, USEC_INFINITY, D, MESSAGE_BROKEN_BUDGET},
    {"a shorter D", NOW + D / 2, L, D / 2, MESSAGE_EXTENDED},
    {"a shorter D, the deadline beyond it", NOW + D, L, D / 2, MESSAGE_TOO_FAR},
    {"the same once more", NOW + 1000, L, D, MESSAGE_REPEATED},
    {"a longer lease to the same deadline", NOW + 1000, 2 * L, D, MESSAGE_NOT_LATER},
    {"a longer lease and D to the same deadline", NOW + 1000, 2 * L, 2 * D, MESSAGE_NOT_LATER},
    {"a shorter D to the same deadline", NOW + 1000, L, D / 2, MESSAGE_EXTENDED},
    {"a shorter D to an earlier deadline", NOW + 999, L, D / 2, MESSAGE_NOT_LATER},
};

TEST(extension_with_other_spans, EACH(new_spans))
{
    struct keeper k = leading(NOW + 1000), before = k;
    struct keeper_message m = good_message;

    m.deadline = new_spans[_i].deadline;
    m.lease = new_spans[_i].lease;
    m.duration = new_spans[_i].duration;
    enum message_verdict v = keeper_receive(&k, &m, sizeof m, true, NOW);
    ck_assert_msg(v == new_spans[_i].verdict, "%s: %s", new_spans[_i].what,
                  message_verdict_text(v));
    if (v == MESSAGE_EXTENDED) {
        before.deadline = m.deadline;
        before.lease = m.lease;
        before.duration = m.duration;
    }
    ck_assert(keepers_equal(&k, &before));
}

/* A keeper whose ticket an agent of the first version wrote. */
TEST(version_1_keeps_its_lease)
{
    struct keeper k = leading(NOW + 1000), before;
    struct keeper_message m = good_message;
    size_t length = keeper_message_size(TICKET_VERSION_FIXED);

    ck_assert_uint_eq(length, 32);
    k.version = TICKET_VERSION_FIXED;
    before = k;
    ck_assert_int_eq(keeper_receive(&k, &m, sizeof m, true, NOW), MESSAGE_MALFORMED);
    ck_assert_int_eq(keeper_receive(&k, &m, length, true, NOW), MESSAGE_MALFORMED);
    m.magic = keeper_message_magic(TICKET_VERSION_FIXED);
    ck_assert_int_eq(keeper_receive(&k, &m, sizeof m, true, NOW), MESSAGE_MALFORMED);
    ck_assert(keepers_equal(&k, &before));
    m.lease = m.duration = 0; /* not sent */
    ck_assert_int_eq(keeper_receive(&k, &m, length, true, NOW), MESSAGE_EXTENDED);
    before.deadline = m.deadline;
    ck_assert(keepers_equal(&k, &before));
    m.verb = KEEPER_END;
    ck_assert_int_eq(keeper_receive(&k, &m, length, true, NOW), MESSAGE_ENDED);

    struct keeper newer = leading(NOW + 1000);
    ck_assert_int_eq(keeper_receive(&newer, &m, length, true, NOW), MESSAGE_MALFORMED);
}

/* Everything about the message that is wrong, for both verbs. */
static void spoil_magic(struct keeper_message *m)
{
    m->magic ^= 1;
}
static void spoil_reserved(struct keeper_message *m)
{
    m->reserved = 1;
}
static void spoil_verb_low(struct keeper_message *m)
{
    m->verb = 0;
}
static void spoil_verb_high(struct keeper_message *m)
{
    m->verb = 3;
}
static void spoil_term_low(struct keeper_message *m)
{
    m->term--;
}
static void spoil_term_high(struct keeper_message *m)
{
    m->term++;
}
static void spoil_nothing(struct keeper_message *m)
{
    (void)m;
}

static const struct {
    void (*spoil)(struct keeper_message *m);
    size_t length;
    bool from_agent;
    enum message_verdict verdict;
} forgeries[] = {
    {spoil_magic, sizeof(struct keeper_message), true, MESSAGE_MALFORMED},
    {spoil_reserved, sizeof(struct keeper_message), true, MESSAGE_MALFORMED},
    {spoil_verb_low, sizeof(struct keeper_message), true, MESSAGE_MALFORMED},
    {spoil_verb_high, sizeof(struct keeper_message), true, MESSAGE_MALFORMED},
    {spoil_term_low, sizeof(struct keeper_message), true, MESSAGE_OTHER_TERM},
    {spoil_term_high, sizeof(struct keeper_message), true, MESSAGE_OTHER_TERM},
    {spoil_nothing, sizeof(struct keeper_message) - 1, true, MESSAGE_MALFORMED},
    {spoil_nothing, sizeof(struct keeper_message) + 1, true, MESSAGE_MALFORMED},
    {spoil_nothing, 0, true, MESSAGE_MALFORMED},
    {spoil_nothing, sizeof(struct keeper_message), false, MESSAGE_WRONG_SENDER},
};

TEST(forgery, EACH(forgeries))
{
    for (uint32_t verb = KEEPER_EXTEND; verb <= KEEPER_END; verb++) {
        struct keeper k = leading(NOW + 1000), before = k;
        struct keeper_message m = good_message;

        m.verb = verb;
        forgeries[_i].spoil(&m);
        ck_assert_int_eq(
            keeper_receive(&k, &m, forgeries[_i].length, forgeries[_i].from_agent, NOW),
            forgeries[_i].verdict);
        ck_assert(keepers_equal(&k, &before));
    }
}

TEST(nothing_prolongs_an_ending)
{
    static const enum keeper_end_reason reasons[] = {KEEPER_END_DEADLINE, KEEPER_END_AGENT,
                                                     KEEPER_END_SIGNAL};

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        struct keeper k = leading(NOW + 1000);

        keeper_end(&k, reasons[i], NOW + 10);
        struct keeper before = k;
        for (usec_t now = NOW + 10; now < NOW + 2 * D; now += D / 7) {
            struct keeper_message m = good_message;

            m.deadline = now + D;
            ck_assert_int_eq(keeper_receive(&k, &m, sizeof m, true, now), MESSAGE_ALREADY_ENDING);
            m.verb = KEEPER_END;
            ck_assert_int_eq(keeper_receive(&k, &m, sizeof m, true, now), MESSAGE_ALREADY_ENDING);
            keeper_end(&k, KEEPER_END_SIGNAL, now);
            keeper_check_deadline(&k, now);
            ck_assert(keepers_equal(&k, &before));
        }
    }
}

/* Whatever is sent, in whatever order and however often: what counts is bounded by the last read
 * before the deadline. A thousand random messages against a keeper that may wake up late. */
TEST(deadline_stays_within_d_of_the_last_read, .times = 50)
{
    unsigned seed = (unsigned)_i * 7919 + 1;
    struct keeper k = leading(NOW + D);
    usec_t now = NOW, last_accepted = NOW;

    for (int i = 0; i < 1000; i++) {
        struct keeper_message m = good_message;

        now += (usec_t)rand_r(&seed) % (D / 2);
        m.deadline = now - D + (usec_t)rand_r(&seed) % (3 * D);
        struct keeper before = k;
        enum message_verdict v = keeper_receive(&k, &m, sizeof m, true, now);
        if (v == MESSAGE_EXTENDED) {
            ck_assert(before.phase == KEEPER_LEADING);
            ck_assert(now < before.deadline);
            ck_assert(k.deadline >= before.deadline);
            last_accepted = now;
        } else
            ck_assert(keepers_equal(&k, &before));
        ck_assert(k.deadline <= last_accepted + D);
        if (i % 50 == 49)
            keeper_check_deadline(&k, now);
    }
}

/* ---- the end ---- */

TEST_CASE(end);

TEST(deadline_ends)
{
    struct keeper k = leading(NOW);

    keeper_check_deadline(&k, NOW - 1);
    ck_assert_int_eq(k.phase, KEEPER_LEADING);
    keeper_check_deadline(&k, NOW);
    ck_assert_int_eq(k.phase, KEEPER_ENDING);
    ck_assert_int_eq(k.reason, KEEPER_END_DEADLINE);
    ck_assert_uint_eq(k.ended, NOW);
}

TEST(agent_ends)
{
    struct keeper k = leading(NOW + 1000);
    struct keeper_message m = good_message;

    m.verb = KEEPER_END;
    m.deadline = 0;
    ck_assert_int_eq(keeper_receive(&k, &m, sizeof m, true, NOW), MESSAGE_ENDED);
    ck_assert_int_eq(k.reason, KEEPER_END_AGENT);
    ck_assert_uint_eq(k.ended, NOW);
}

static const struct {
    usec_t deadline, ended, kill;
} kill_times[] = {
    {NOW, NOW - 1, NOW - 1 + S},        /* ended before: S from there */
    {NOW, NOW, NOW + S},                /* on time */
    {NOW, NOW + 1, NOW + S},            /* noticed late: S from the deadline all the same */
    {NOW, NOW + S + 12345678, NOW + S}, /* frozen past everything: at once */
};

TEST(kill_time, EACH(kill_times))
{
    struct keeper k = leading(kill_times[_i].deadline);
    usec_t kill = kill_times[_i].kill;

    ck_assert(!keeper_kill_due(&k, USEC_INFINITY));
    keeper_end(&k, KEEPER_END_SIGNAL, kill_times[_i].ended);
    ck_assert_uint_eq(keeper_kill_time(&k), kill);
    ck_assert(!keeper_kill_due(&k, kill - 1));
    ck_assert(keeper_kill_due(&k, kill));
    ck_assert(keeper_kill_due(&k, kill + 1));
}

/* What a look may find: all of it, in all combinations. */
#define LOOKS (2 * 2 * 2 * 2 * 3 * 5 * 2)

static struct keeper_look a_look(int i, bool *ret_reboot)
{
    static const uint64_t children[] = {0, 1, UINT64_MAX};
    struct keeper_look l = {0};

    l.answered = i % 2, i /= 2;
    l.up = i % 2, i /= 2;
    l.unlinked = i % 2, i /= 2;
    l.populated = i % 2, i /= 2;
    l.children = children[i % 3], i /= 3;
    l.stops = (enum stops)(i % 5), i /= 5;
    *ret_reboot = i % 2;
    return l;
}

TEST(exit_needs_it_all)
{
    unsigned exits = 0;

    for (int i = 0; i < LOOKS; i++) {
        struct keeper k = leading(NOW);
        bool reboot;
        struct keeper_look l = a_look(i, &reboot);

        ck_assert(!keeper_may_exit(&k, &l, reboot)); /* leading */
        keeper_end(&k, KEEPER_END_DEADLINE, NOW);
        bool may = keeper_may_exit(&k, &l, reboot);
        ck_assert(may == look_gone(&l, reboot));
        exits += may;
        if (!l.answered || l.up || l.populated)
            ck_assert(!may); /* what stops it has yet to come, or it runs */
        else if (reboot && (l.stops == STOPS_OPEN || l.stops == STOPS_LEFT))
            ck_assert(!may); /* an address, that nobody says is gone */
        else if (l.unlinked && (l.children > 0 || l.stops == STOPS_OPEN))
            ck_assert(!may); /* it may be up, unseen */
        else
            ck_assert(may); /* empty cgroups or not */
    }
    ck_assert_uint_gt(exits, 0);
}

TEST(what_counts_as_left)
{
    for (int i = 0; i < LOOKS; i++) {
        bool reboot;
        struct keeper_look l = a_look(i, &reboot);
        bool known = l.stops == STOPS_NONE || l.stops == STOPS_GONE;
        bool left = look_left(&l);

        if (l.populated || l.stops == STOPS_OPEN || l.stops == STOPS_LEFT)
            ck_assert(left);
        else if (known) /* PID 1 may be busy, and empty cgroups lie about */
            ck_assert(!left);
        else
            ck_assert(left == (l.up || !l.answered));
        /* What restarts the host is never taken for gone. */
        ck_assert(!(left && look_gone(&l, true)));
    }
}

TEST(wakeups)
{
    struct keeper k = leading(NOW + D);

    ck_assert_uint_eq(keeper_wakeup(&k, false, NOW), NOW + D);
    ck_assert_uint_eq(keeper_wakeup(&k, true, NOW), NOW + KEEPER_NOTIFY_RETRY_USEC);
    ck_assert_uint_eq(keeper_wakeup(&k, true, NOW + D - 1), NOW + D); /* never past the deadline */

    keeper_end(&k, KEEPER_END_DEADLINE, NOW + D);
    usec_t kill = keeper_kill_time(&k), looks = 0;
    for (usec_t now = NOW + D; now < kill; looks++) {
        usec_t next = keeper_wakeup(&k, false, now);

        ck_assert(next > now);
        ck_assert(next <= kill); /* the kill is never slept through */
        ck_assert(next <= now + KEEPER_LOOK_MAX_USEC);
        ck_assert(next == kill || next >= now + KEEPER_LOOK_MIN_USEC);
        now = next;
    }
    ck_assert(looks < 200);
    ck_assert_uint_eq(keeper_wakeup(&k, false, kill), kill + KEEPER_KILL_INTERVAL_USEC);
    ck_assert_uint_eq(keeper_wakeup(&k, false, kill + 7), kill + 7 + KEEPER_KILL_INTERVAL_USEC);
}

TEST(watchdog_span)
{
    struct keeper k = leading(NOW);
    usec_t margin = BUDGET_SLACK_USEC - BUDGET_PID1_ACCURACY_USEC;

    ck_assert_uint_eq(margin, 50 * USEC_PER_MSEC);
    ck_assert_uint_eq(keeper_watchdog_span(&k, NOW - D), D + margin);
    ck_assert_uint_eq(keeper_watchdog_span(&k, NOW), margin);
    ck_assert_uint_eq(keeper_watchdog_span(&k, NOW + margin - 1), 1);
    ck_assert_uint_eq(keeper_watchdog_span(&k, NOW + margin), 1); /* never 0 */
    ck_assert_uint_eq(keeper_watchdog_span(&k, NOW + margin + 1), 1);
    k.deadline = USEC_INFINITY;
    ck_assert_uint_ne(keeper_watchdog_span(&k, NOW), USEC_INFINITY);
}

/* ---- the fence ---- */

TEST_CASE(fence);

TEST(fence_times)
{
    struct ticket t = good_ticket();

    t.deadline = NOW;
    ck_assert_uint_eq(fence_kill_time(NULL, NOW), NOW);
    ck_assert_uint_eq(fence_kill_time(&t, NOW - 1), NOW - 1 + S);
    ck_assert_uint_eq(fence_kill_time(&t, NOW), NOW + S);
    ck_assert_uint_eq(fence_kill_time(&t, NOW + 1), NOW + S);
    ck_assert_uint_eq(fence_wakeup(NOW, NOW + S, NOW), NOW + KEEPER_LOOK_MIN_USEC);
    ck_assert_uint_eq(fence_wakeup(NOW, NOW + S, NOW + S - 1), NOW + S);
    ck_assert_uint_eq(fence_wakeup(NOW, NOW + S, NOW + S), NOW + S + KEEPER_KILL_INTERVAL_USEC);
}

/* ---- the last resort ---- */

TEST_CASE(last_resort);

TEST(last_resort_times)
{
    const usec_t k = 400 * USEC_PER_MSEC, late = k - KEEPER_REBOOT_EARLY_USEC;

    for (int reboot = 0; reboot < 2; reboot++)
        ck_assert_int_eq(last_resort_due(USEC_INFINITY, k, reboot, NOW), LAST_RESORT_NONE);
    ck_assert_int_eq(last_resort_due(NOW, k, false, NOW + k - 1), LAST_RESORT_NONE);
    ck_assert_int_eq(last_resort_due(NOW, k, false, NOW + k), LAST_RESORT_ALERT);
    ck_assert_int_eq(last_resort_due(NOW, k, false, NOW + 1000 * k), LAST_RESORT_ALERT);
    ck_assert_int_eq(last_resort_due(NOW, k, true, NOW + k / 2 - 1), LAST_RESORT_NONE);
    ck_assert_int_eq(last_resort_due(NOW, k, true, NOW + k / 2), LAST_RESORT_ALERT);
    ck_assert_int_eq(last_resort_due(NOW, k, true, NOW + late - 1), LAST_RESORT_ALERT);
    ck_assert_int_eq(last_resort_due(NOW, k, true, NOW + late), LAST_RESORT_REBOOT);
    /* However small K is: SIGKILL gets some time, and K is not exceeded. */
    ck_assert_int_eq(last_resort_due(NOW, 20, true, NOW + 9), LAST_RESORT_NONE);
    ck_assert_int_eq(last_resort_due(NOW, 20, true, NOW + 10), LAST_RESORT_REBOOT);
}

/* The smallest groups that there can be: a look every KEEPER_KILL_INTERVAL_USEC is in time. */
TEST(last_resort_is_within_k)
{
    usec_t k = budget_kill(budget_smallest_lease(1));

    ck_assert_uint_gt(k, 2 * KEEPER_REBOOT_EARLY_USEC);
    ck_assert_uint_gt(KEEPER_REBOOT_EARLY_USEC, 2 * KEEPER_KILL_INTERVAL_USEC);
}

/* ---- words ---- */

TEST_CASE(words);

TEST(texts)
{
    for (int v = TICKET_GOOD; v <= TICKET_TOO_FAR; v++)
        ck_assert_int_gt((int)strlen(ticket_verdict_text((enum ticket_verdict)v)), 0);
    for (int v = MESSAGE_EXTENDED; v <= MESSAGE_TOO_FAR; v++)
        ck_assert_int_gt((int)strlen(message_verdict_text((enum message_verdict)v)), 0);
    for (int v = KEEPER_END_NONE; v <= KEEPER_END_SIGNAL; v++)
        ck_assert_int_gt((int)strlen(keeper_end_reason_text((enum keeper_end_reason)v)), 0);
}

/* A value that there is not is a mistake of ours: the keeper ends at once, and the fence does the
 * rest. */
TEST(no_text_for_what_there_is_not, .times = 4, .signal = SIGABRT)
{
    if (_i == 0)
        (void)ticket_verdict_text((enum ticket_verdict)(TICKET_TOO_FAR + 1));
    else if (_i == 1)
        (void)message_verdict_text((enum message_verdict)(MESSAGE_TOO_FAR + 1));
    else if (_i == 2)
        (void)keeper_end_reason_text((enum keeper_end_reason)(KEEPER_END_SIGNAL + 1));
    else
        (void)look_left(&(struct keeper_look){.stops = (enum stops)(STOPS_LEFT + 1)});
    ck_abort_msg("it went on");
}
