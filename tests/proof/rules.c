/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's rules, for all states, tickets, messages and times. A state is any that the
 * invariant admits; each way to change it is tried once, and must keep the invariant: so what is
 * said here holds for a keeper's whole life. */
#include "keeper/rules.c"

#include "prove.h"

/* Times beyond this are none: CLOCK_BOOTTIME gets there in 73,000 years. */
#define TIME_MAX ((usec_t)1 << 61)

/* The arithmetic is proven in budget.acsl.h. Here it may say anything, and it is noted what it was
 * asked. What it accepts it accepts within its bounds: that is "budget-judges". */
static struct {
    unsigned asked;
    usec_t lease, stop, duration;
    bool holds;
} judged;

bool budget_holds(usec_t lease, usec_t stop, usec_t duration)
{
    bool holds;

    ASSUME(!holds || (lease > 0 && lease <= BUDGET_LEASE_MAX_USEC && stop > 0 &&
                      stop <= BUDGET_STOP_MAX_USEC && duration > 0 && duration <= lease));
    judged.asked++;
    judged.lease = lease;
    judged.stop = stop;
    judged.duration = duration;
    judged.holds = holds;
    return holds;
}

usec_t budget_kill(usec_t lease);

/* The last time a step of this keeper was taken: time does not run backwards. */
static usec_t last;

static bool invariant(const struct keeper *k)
{
    bool spans = k->lease > 0 && k->lease <= BUDGET_LEASE_MAX_USEC && k->stop > 0 &&
                 k->stop <= BUDGET_STOP_MAX_USEC && k->duration > 0 && k->duration <= k->lease;

    bool version = k->version == TICKET_VERSION_FIXED || k->version == TICKET_VERSION;

    return spans && version && k->term > 0 && k->term <= INT64_MAX && k->deadline <= TIME_MAX &&
           (k->phase == KEEPER_LEADING || k->phase == KEEPER_ENDING) &&
           (k->phase == KEEPER_LEADING) == (k->reason == KEEPER_END_NONE) &&
           (k->phase == KEEPER_LEADING || k->ended <= last) &&
           (k->phase == KEEPER_ENDING || k->ended == 0) && k->reason <= KEEPER_END_SIGNAL &&
           (k->phase == KEEPER_ENDING || k->deadline <= last + k->duration);
}

static usec_t later(void)
{
    usec_t now;

    ASSUME(now >= last && now <= TIME_MAX - BUDGET_LEASE_MAX_USEC);
    return now;
}

static struct keeper any_keeper(void)
{
    struct keeper k;
    usec_t before;

    ASSUME(before <= TIME_MAX - BUDGET_LEASE_MAX_USEC);
    last = before;
    ASSUME(invariant(&k));
    return k;
}

static bool same_spans(const struct keeper *a, const struct keeper *b)
{
    return a->term == b->term && a->lease == b->lease && a->stop == b->stop &&
           a->duration == b->duration && a->version == b->version;
}

static bool same(const struct keeper *a, const struct keeper *b)
{
    return same_spans(a, b) && a->phase == b->phase && a->reason == b->reason &&
           a->deadline == b->deadline && a->ended == b->ended;
}

/* Whatever was done to it. */
static void check_step(const struct keeper *before, const struct keeper *k, usec_t now)
{
    PROVE("keeper-deadline-never-back", true, k->deadline >= before->deadline);
    PROVE("keeper-term-stays", true,
          k->term == before->term && k->stop == before->stop && k->version == before->version);
    PROVE("keeper-spans-only-by-extension", !same_spans(before, k),
          k->deadline > before->deadline ||
              (k->deadline == before->deadline && k->lease <= before->lease &&
               k->duration <= before->duration));
    PROVE("keeper-ends-for-good", before->phase == KEEPER_ENDING,
          k->phase == KEEPER_ENDING && k->reason == before->reason && k->ended == before->ended &&
              k->deadline == before->deadline);
    PROVE("keeper-end-is-now", before->phase == KEEPER_LEADING && k->phase == KEEPER_ENDING,
          k->ended == now && k->reason != KEEPER_END_NONE);
    last = now;
    PROVE("keeper-invariant", true, invariant(k));
}

static void prove_ticket(void)
{
    struct ticket t;
    char group[GROUP_NAME_MAX + 1];
    usec_t now = later();

    t.group[GROUP_NAME_MAX] = group[GROUP_NAME_MAX] = '\0';
    ASSUME(t.version == TICKET_VERSION_FIXED || t.version == TICKET_VERSION);
    enum ticket_verdict v = keeper_judge_ticket(&t, group, now);
    bool good = v == TICKET_GOOD;

    PROVE("ticket-own-group", good, strcmp(t.group, group) == 0);
    PROVE("ticket-term-bounds", good, t.term > 0 && t.term <= INT64_MAX);
    PROVE("ticket-keeps-budget", good,
          judged.asked == 1 && judged.holds && judged.lease == t.lease && judged.stop == t.stop &&
              judged.duration == t.duration);
    PROVE("ticket-in-time", good, now < t.deadline && t.deadline - now <= t.duration);
    PROVE("ticket-refused-for-a-reason", !good,
          strcmp(t.group, group) != 0 || t.term == 0 || t.term > INT64_MAX || !judged.holds ||
              now >= t.deadline || t.deadline - now > t.duration);

    if (!good)
        return;
    struct keeper k = keeper_begin(&t);
    last = now;
    PROVE("keeper-invariant", true, invariant(&k));
    PROVE("keeper-begins-by-the-ticket", true,
          k.phase == KEEPER_LEADING && k.version == t.version && k.term == t.term &&
              k.lease == t.lease && k.stop == t.stop && k.duration == t.duration &&
              k.deadline == t.deadline);
}

static void prove_message(void)
{
    struct keeper k = any_keeper(), before = k;
    struct keeper_message m;
    size_t length;
    bool from_agent;
    usec_t now = later();
    enum message_verdict v = keeper_receive(&k, &m, length, from_agent, now);
    bool fixed = before.version == TICKET_VERSION_FIXED;
    bool proper = from_agent && length == keeper_message_size(before.version) &&
                  m.magic == keeper_message_magic(before.version) && m.reserved == 0 &&
                  m.term == before.term;
    usec_t lease = fixed ? before.lease : m.lease;
    usec_t duration = fixed ? before.duration : m.duration;
    bool shorter = lease <= before.lease && duration <= before.duration;
    bool may_extend =
        proper && m.verb == KEEPER_EXTEND && before.phase == KEEPER_LEADING &&
        now < before.deadline && judged.holds &&
        (m.deadline > before.deadline || (m.deadline == before.deadline && shorter)) &&
        (m.deadline <= now || m.deadline - now <= duration);
    bool repeated =
        m.deadline == before.deadline && lease == before.lease && duration == before.duration;

    check_step(&before, &k, now);
    PROVE("extend-proper", k.deadline != before.deadline || !same_spans(&before, &k),
          may_extend && k.deadline == m.deadline && k.lease == lease && k.duration == duration);
    PROVE("extend-keeps-budget", k.deadline != before.deadline || !same_spans(&before, &k),
          judged.asked == 1 && judged.holds && judged.lease == k.lease && judged.stop == k.stop &&
              judged.duration == k.duration);
    PROVE("extend-at-most-d-ahead", k.deadline != before.deadline,
          now < before.deadline && k.deadline - now <= k.duration);
    PROVE("extend-done-when-proper", may_extend && !repeated,
          v == MESSAGE_EXTENDED && k.deadline == m.deadline && k.phase == KEEPER_LEADING);
    PROVE("extend-version-1-keeps-its-lease", fixed,
          k.lease == before.lease && k.duration == before.duration);
    PROVE("message-verdict-true", v == MESSAGE_EXTENDED, k.deadline == m.deadline && may_extend);
    PROVE("message-verdict-true", v == MESSAGE_ENDED,
          k.phase == KEEPER_ENDING && before.phase == KEEPER_LEADING);
    PROVE("message-ends-only-as-asked", k.phase != before.phase,
          proper && m.verb == KEEPER_END && k.reason == KEEPER_END_AGENT);
    PROVE("message-ends-when-asked",
          proper && m.verb == KEEPER_END && before.phase == KEEPER_LEADING,
          k.phase == KEEPER_ENDING && v == MESSAGE_ENDED);
    PROVE("message-refused-changes-nothing", v != MESSAGE_EXTENDED && v != MESSAGE_ENDED,
          same(&before, &k));
}

static void prove_end(void)
{
    struct keeper k = any_keeper(), before = k;
    enum keeper_end_reason reason;
    usec_t now = later();

    ASSUME(reason > KEEPER_END_NONE && reason <= KEEPER_END_SIGNAL);
    keeper_end(&k, reason, now);
    check_step(&before, &k, now);
    PROVE("keeper-ends-when-asked", true, k.phase == KEEPER_ENDING);
    PROVE("keeper-first-reason-stays", before.phase == KEEPER_LEADING, k.reason == reason);
}

static void prove_deadline(void)
{
    struct keeper k = any_keeper(), before = k;
    usec_t now = later();

    keeper_check_deadline(&k, now);
    check_step(&before, &k, now);
    PROVE("deadline-ends-it", now >= before.deadline, k.phase == KEEPER_ENDING);
    PROVE("deadline-not-before", now < before.deadline, same(&before, &k));
}

/* All that is computed from a state. It changes nothing: the state is const. */
static void prove_times(void)
{
    struct keeper k = any_keeper();
    usec_t now = later();
    bool pending, reboot;
    struct keeper_look l;
    usec_t kill = keeper_kill_time(&k), wakeup = keeper_wakeup(&k, pending, now);
    usec_t span = keeper_watchdog_span(&k, now);
    bool ending = k.phase == KEEPER_ENDING;

    PROVE("kill-by-deadline-and-s", ending, kill <= k.deadline + k.stop);
    PROVE("kill-by-end-and-s", ending, kill <= k.ended + k.stop);
    PROVE("kill-not-before-s", ending,
          kill == k.ended + k.stop || (k.ended > k.deadline && kill == k.deadline + k.stop));
    PROVE("kill-never-while-leading", !ending, kill == USEC_INFINITY && !keeper_kill_due(&k, now));
    PROVE("kill-due-in-time", ending, keeper_kill_due(&k, now) == (now >= kill));
    PROVE("wakes-by-deadline", !ending, wakeup <= k.deadline);
    PROVE("wakes-by-kill", ending && now < kill, wakeup <= kill);
    PROVE("kills-again-soon", ending && now >= kill, wakeup <= now + KEEPER_KILL_INTERVAL_USEC);
    PROVE("looks-often", ending, wakeup <= now + KEEPER_LOOK_MAX_USEC);
    PROVE("wakes-in-the-future", ending || now<k.deadline, wakeup> now);
    PROVE("pending-sent-soon", pending, wakeup <= now + KEEPER_NOTIFY_RETRY_USEC);
    PROVE("watchdog-never-off", true, span > 0 && span < USEC_INFINITY);
    /* PID 1 fires between span and span + accuracy after it has read the message. */
    usec_t latest = k.deadline + BUDGET_SLACK_USEC - BUDGET_PID1_ACCURACY_USEC;
    PROVE("watchdog-within-slack", now < latest,
          now + span + BUDGET_PID1_ACCURACY_USEC <= k.deadline + BUDGET_SLACK_USEC);
    PROVE("watchdog-not-before-deadline", true, now + span > k.deadline);
    PROVE("watchdog-at-once-when-late", now >= latest, span == 1);
    PROVE("exit-as-the-look-says", true,
          keeper_may_exit(&k, &l, reboot) == (ending && look_gone(&l, reboot)));
}

/* What a look found, whatever it is. */
static void prove_look(void)
{
    struct keeper_look l;
    bool reboot;

    ASSUME((unsigned)l.stops <= STOPS_LEFT);
    bool gone = look_gone(&l, reboot), left = look_left(&l);
    bool said = l.stops == STOPS_NONE || l.stops == STOPS_GONE;
    bool open = l.stops == STOPS_OPEN || l.stops == STOPS_LEFT;

    /* First PID 1's word, then no unit that is up, then no process: the order of the look. */
    PROVE("exit-leaves-nothing", gone, l.answered && !l.up && !l.populated);
    PROVE("exit-leaves-nothing-unseen", gone && l.unlinked,
          l.children == 0 && l.stops != STOPS_OPEN);
    PROVE("exit-only-by-the-agents-word", gone && reboot, !open);
    PROVE("exit-when-nothing-is-left",
          l.answered && !l.up && !l.populated && (!l.unlinked || l.children == 0) && !open, gone);
    PROVE("empty-cgroup-is-nothing", l.answered && !l.up && !l.populated && !l.unlinked && !open,
          gone);
    PROVE("left-is-reported", l.populated || open, left);
    PROVE("left-is-reported-if-pid1-said-nothing",
          l.stops == STOPS_UNKNOWN && (l.up || !l.answered), left);
    PROVE("left-is-not-a-busy-pid1", said && !l.populated, !left);
    PROVE("left-is-not-gone", left, !look_gone(&l, true));
}

static void prove_fence(void)
{
    struct ticket state;
    bool has_state;
    usec_t began = later();

    ASSUME(state.stop <= BUDGET_STOP_MAX_USEC && state.deadline <= TIME_MAX);
    usec_t kill = fence_kill_time(has_state ? &state : NULL, began);

    last = began;
    usec_t now = later(), wakeup = fence_wakeup(began, kill, now);

    PROVE("fence-kills-by-deadline-and-s", has_state, kill <= state.deadline + state.stop);
    PROVE("fence-kills-by-its-begin-and-s", has_state, kill <= began + state.stop);
    PROVE("fence-kills-at-once", !has_state, kill == began);
    PROVE("fence-wakes-by-kill", now<kill, wakeup> now && wakeup <= kill);
    PROVE("fence-kills-again-soon", now >= kill,
          wakeup > now && wakeup <= now + KEEPER_KILL_INTERVAL_USEC);
}

static void prove_last_resort(void)
{
    usec_t killed, kill, now = later();
    bool reboot;

    ASSUME(killed <= TIME_MAX && kill <= BUDGET_KILL_MAX_USEC);
    enum last_resort v = last_resort_due(killed, kill, reboot, now);
    bool over = now >= killed + kill;

    PROVE("reboot-by-k", reboot && over, v == LAST_RESORT_REBOOT);
    PROVE("reboot-only-if-configured", !reboot, v != LAST_RESORT_REBOOT);
    PROVE("reboot-not-before-kill", now < killed, v == LAST_RESORT_NONE);
    PROVE("reboot-early-by-half-at-most", v == LAST_RESORT_REBOOT, now - killed >= kill / 2);
    PROVE("alert-by-k", over, v != LAST_RESORT_NONE);
    /* At half of K, whenever it looks, there is time left to say it in. */
    PROVE("alert-before-reboot", reboot && kill > 2 * KEEPER_REBOOT_EARLY_USEC,
          last_resort_due(killed, kill, reboot, killed + kill / 2) == LAST_RESORT_ALERT);
}

/* Before a keeper was killed there is no time at all. */
static void prove_last_resort_unkilled(void)
{
    usec_t kill, now = later();
    bool reboot;

    ASSUME(kill <= BUDGET_KILL_MAX_USEC);
    PROVE("reboot-not-before-kill", true,
          last_resort_due(USEC_INFINITY, kill, reboot, now) == LAST_RESORT_NONE);
}

/* One of them, PART. */
int main(void)
{
    PART();
    return 0;
}
