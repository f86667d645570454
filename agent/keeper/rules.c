/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/rules.h"

#include <assert.h>
#include <string.h>

#include "base/budget.h"

enum ticket_verdict keeper_judge_ticket(const struct ticket *t, const char *group, usec_t now)
{
    assert(t);
    assert(group);

    if (strcmp(t->group, group) != 0)
        return TICKET_OTHER_GROUP;
    if (t->term == 0 || t->term > INT64_MAX)
        return TICKET_BAD_TERM;
    if (!budget_holds(t->lease, t->stop, t->duration))
        return TICKET_BROKEN_BUDGET;
    if (now >= t->deadline)
        return TICKET_TOO_LATE;
    if (t->deadline > usec_add(now, t->duration))
        return TICKET_TOO_FAR;
    return TICKET_GOOD;
}

struct keeper keeper_begin(const struct ticket *t)
{
    assert(t);

    return (struct keeper){
        .phase = KEEPER_LEADING,
        .reason = KEEPER_END_NONE,
        .version = t->version,
        .term = t->term,
        .lease = t->lease,
        .stop = t->stop,
        .duration = t->duration,
        .deadline = t->deadline,
    };
}

/* L and D that it names, judged by the keeper's own arithmetic. */
static enum message_verdict receive_extend(struct keeper *k, usec_t lease, usec_t duration,
                                           usec_t deadline, usec_t now)
{
    if (k->phase == KEEPER_ENDING)
        return MESSAGE_ALREADY_ENDING;
    /* However early it was sent: what is read after the deadline comes too late. */
    if (now >= k->deadline)
        return MESSAGE_TOO_LATE;
    if (!budget_holds(lease, k->stop, duration))
        return MESSAGE_BROKEN_BUDGET;
    if (deadline < k->deadline)
        return MESSAGE_NOT_LATER;
    if (deadline == k->deadline && lease == k->lease && duration == k->duration)
        return MESSAGE_REPEATED;
    /* Which of two with one deadline was sent first is not known: the shorter lease is safe. */
    if (deadline == k->deadline && (lease > k->lease || duration > k->duration))
        return MESSAGE_NOT_LATER;
    if (deadline > usec_add(now, duration))
        return MESSAGE_TOO_FAR;
    k->lease = lease;
    k->duration = duration;
    k->deadline = deadline;
    return MESSAGE_EXTENDED;
}

static bool well_formed(const struct keeper *k, const struct keeper_message *m, size_t length)
{
    return length == keeper_message_size(k->version) &&
           m->magic == keeper_message_magic(k->version) && m->reserved == 0 &&
           (m->verb == KEEPER_EXTEND || m->verb == KEEPER_END);
}

enum message_verdict keeper_receive(struct keeper *k, const struct keeper_message *m, size_t length,
                                    bool from_agent, usec_t now)
{
    assert(k);
    assert(m);

    bool fixed = k->version == TICKET_VERSION_FIXED;

    if (!from_agent)
        return MESSAGE_WRONG_SENDER;
    if (!well_formed(k, m, length))
        return MESSAGE_MALFORMED;
    if (m->term != k->term)
        return MESSAGE_OTHER_TERM;
    if (m->verb == KEEPER_EXTEND)
        return receive_extend(k, fixed ? k->lease : m->lease, fixed ? k->duration : m->duration,
                              m->deadline, now);
    if (k->phase == KEEPER_ENDING)
        return MESSAGE_ALREADY_ENDING;
    keeper_end(k, KEEPER_END_AGENT, now);
    return MESSAGE_ENDED;
}

void keeper_end(struct keeper *k, enum keeper_end_reason reason, usec_t now)
{
    assert(k);
    assert(reason != KEEPER_END_NONE);

    if (k->phase == KEEPER_ENDING)
        return;
    k->phase = KEEPER_ENDING;
    k->reason = reason;
    k->ended = now;
}

void keeper_check_deadline(struct keeper *k, usec_t now)
{
    assert(k);

    if (k->phase == KEEPER_LEADING && now >= k->deadline)
        keeper_end(k, KEEPER_END_DEADLINE, now);
}

usec_t keeper_kill_time(const struct keeper *k)
{
    assert(k);

    if (k->phase == KEEPER_LEADING)
        return USEC_INFINITY;
    return usec_add(usec_min(k->ended, k->deadline), k->stop);
}

bool keeper_kill_due(const struct keeper *k, usec_t now)
{
    return k->phase == KEEPER_ENDING && now >= keeper_kill_time(k);
}

bool look_gone(const struct keeper_look *l, bool reboot)
{
    assert(l);

    if (!l->answered || l->up || l->populated)
        return false;
    if (l->unlinked && (l->children > 0 || l->stops == STOPS_OPEN))
        return false;
    return !reboot || (l->stops != STOPS_OPEN && l->stops != STOPS_LEFT);
}

bool look_left(const struct keeper_look *l)
{
    assert(l);

    switch (l->stops) {
    case STOPS_UNKNOWN:
        return l->populated || l->up || !l->answered;
    case STOPS_NONE:
    case STOPS_GONE:
        return l->populated;
    case STOPS_OPEN:
    case STOPS_LEFT:
        return true;
    }
    assert(false);
}

bool keeper_may_exit(const struct keeper *k, const struct keeper_look *l, bool reboot)
{
    assert(k);

    return k->phase == KEEPER_ENDING && look_gone(l, reboot);
}

/* The next look at a slice that has been emptying since `began`. */
static usec_t next_look(usec_t began, usec_t kill_time, usec_t now)
{
    if (now >= kill_time)
        return usec_add(now, KEEPER_KILL_INTERVAL_USEC);

    usec_t interval = usec_sub(now, began) / KEEPER_LOOK_PART;

    interval = usec_min(usec_max(interval, KEEPER_LOOK_MIN_USEC), KEEPER_LOOK_MAX_USEC);
    return usec_min(usec_add(now, interval), kill_time);
}

usec_t keeper_wakeup(const struct keeper *k, bool notify_pending, usec_t now)
{
    assert(k);

    usec_t next =
        k->phase == KEEPER_LEADING ? k->deadline : next_look(k->ended, keeper_kill_time(k), now);

    return notify_pending ? usec_min(next, usec_add(now, KEEPER_NOTIFY_RETRY_USEC)) : next;
}

usec_t keeper_watchdog_span(const struct keeper *k, usec_t now)
{
    assert(k);
    static_assert(BUDGET_SLACK_USEC > BUDGET_PID1_ACCURACY_USEC,
                  "the watchdog must not fire before the keeper's own timer");

    usec_t at = usec_add(k->deadline, BUDGET_PID1_EXTRA_USEC);

    return usec_min(usec_max(usec_sub(at, now), 1), USEC_INFINITY - 1);
}

usec_t fence_kill_time(const struct ticket *state, usec_t now)
{
    return state ? usec_add(usec_min(now, state->deadline), state->stop) : now;
}

usec_t fence_wakeup(usec_t began, usec_t kill_time, usec_t now)
{
    return next_look(began, kill_time, now);
}

enum last_resort last_resort_due(usec_t killed, usec_t kill, bool reboot, usec_t now)
{
    usec_t alert = reboot ? kill / 2 : kill;
    usec_t restart = usec_max(alert, usec_sub(kill, KEEPER_REBOOT_EARLY_USEC));

    if (reboot && now >= usec_add(killed, restart))
        return LAST_RESORT_REBOOT;
    return now >= usec_add(killed, alert) ? LAST_RESORT_ALERT : LAST_RESORT_NONE;
}

const char *ticket_verdict_text(enum ticket_verdict v)
{
    switch (v) {
    case TICKET_GOOD:
        return "good";
    case TICKET_OTHER_GROUP:
        return "it is for another group";
    case TICKET_BAD_TERM:
        return "its term is out of bounds";
    case TICKET_BROKEN_BUDGET:
        return "its lease, stop timeout and duration do not add up";
    case TICKET_TOO_LATE:
        return "its deadline has passed";
    case TICKET_TOO_FAR:
        return "its deadline lies further ahead than its duration";
    }
    assert(false);
}

const char *message_verdict_text(enum message_verdict v)
{
    switch (v) {
    case MESSAGE_EXTENDED:
        return "extended";
    case MESSAGE_ENDED:
        return "ended";
    case MESSAGE_REPEATED:
        return "known already";
    case MESSAGE_WRONG_SENDER:
        return "its sender is not the agent's user";
    case MESSAGE_MALFORMED:
        return "it is malformed";
    case MESSAGE_OTHER_TERM:
        return "it is for another term";
    case MESSAGE_ALREADY_ENDING:
        return "the term is ending already";
    case MESSAGE_TOO_LATE:
        return "it was read after the deadline";
    case MESSAGE_BROKEN_BUDGET:
        return "its lease and duration and the term's stop timeout do not add up";
    case MESSAGE_NOT_LATER:
        return "its deadline is not later than the present one";
    case MESSAGE_TOO_FAR:
        return "its deadline lies further ahead than its duration";
    }
    assert(false);
}

const char *keeper_end_reason_text(enum keeper_end_reason r)
{
    switch (r) {
    case KEEPER_END_NONE:
        return "not ending";
    case KEEPER_END_DEADLINE:
        return "the deadline has passed without a renewal";
    case KEEPER_END_AGENT:
        return "the agent said so";
    case KEEPER_END_SIGNAL:
        return "SIGTERM came";
    }
    assert(false);
}
