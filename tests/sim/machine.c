/* SPDX-License-Identifier: Apache-2.0 */
/* One host below the agent: PID 1 with the keeper's unit and the group's units, the keeper (its
 * rules are the shipped ones), its fence, and the processes of the units. */
#include <inttypes.h>

#include "sim.h"

/* How long a host's processes may be late when nothing is wrong with it: well within delta. */
#define LATE_MAX_USEC (2 * USEC_PER_MSEC)
#define ANSWER_MAX_USEC (100 * USEC_PER_MSEC)
#define SPAWN_MAX_USEC (20 * USEC_PER_MSEC)

void machine_push(struct world *w, struct node *n, enum kind kind, usec_t delay, uint64_t a)
{
    bool keeper = kind >= KEEPER_MESSAGE && kind < KERNEL_KEEPER_BEGINS;

    sim_push(w, (struct sim_event){.at = usec_add(w->now, delay),
                                   .kind = kind,
                                   .node = n->index,
                                   .life = keeper ? n->keeper_life : n->host->boot,
                                   .number = n->keeper_life,
                                   .a = a});
}

static usec_t late(struct world *w)
{
    return sim_between(w, 10, LATE_MAX_USEC);
}

/* ---- the processes of the units ---- */

void machine_processes_end(struct world *w, struct node *n, usec_t delay)
{
    machine_push(w, n, KERNEL_UNITS_GONE, delay, n->units_life);
}

static void hook_gone_in(struct world *w, struct node *n, usec_t delay, bool failed)
{
    machine_push(w, n, KERNEL_HOOK_GONE, delay, n->units_life * 2 + failed);
}

static void kill_processes(struct world *w, struct node *n, usec_t lease)
{
    if (w->mutation == MUTATION_KEEPER_NEVER_KILLS)
        return;
    if (n->hook == HOOK_RUNS && !n->hook_killed) {
        n->hook_killed = true;
        hook_gone_in(w, n, sim_between(w, 100, 2 * USEC_PER_MSEC), true);
    }
    if (!n->running || n->killed)
        return;
    n->killed = true;
    machine_processes_end(w, n, sim_between(w, 100, budget_kill(lease) / 100 * 99));
}

/* cgroup.kill: misses what runs elsewhere. */
static void kill_slice(struct world *w, struct node *n, usec_t lease)
{
    if (!n->outside)
        kill_processes(w, n, lease);
}

/* A deliberate break takes for gone what is not gone. */
static bool taken_for_gone(const struct world *w, const struct node *n)
{
    return (w->mutation == MUTATION_FAILED_IS_DEAD && n->stop_failed) ||
           (w->mutation == MUTATION_MISSING_IS_EMPTY && !machine_populated(n));
}

static void processes_gone(struct world *w, struct node *n, const struct sim_event *h)
{
    if (!n->running || h->number != n->keeper_life || h->a != n->units_life)
        return;
    checker_gone(w, n);
    n->running = n->killed = n->stop_failed = false;
    sim_trace(w, n->host, "units: no process left");
    machine_push(w, n, PID1_UNITS_EXITED, late(w), 0);
}

/* `systemctl stop` of a unit, by hand: the group is led on. */
static void stop_by_hand(struct world *w, struct node *n)
{
    if (n->running && !n->killed)
        machine_processes_end(w, n, sim_between(w, 1000, n->keeper.stop));
}

/* SIGTERM, the patience of the units, and TimeoutStopSec= of a unit whose stop is one step: what a
 * keeper that freezes after STOPPING=1 leaves to PID 1. By name: wherever they run, as the keeper's
 * own guards have them stopped. */
static void stop_units(struct world *w, struct node *n)
{
    n->stop_begun = true;
    if (!n->units_active)
        return;
    n->restarting = false;
    if (n->running) {
        usec_t longest = n->keeper.stop * 3 / 2;

        /* Where a clock is wrong, the budget shall be used up. */
        if (!guards_stop_fails(w, n))
            machine_processes_end(w, n, w->wrong_clock ? longest : sim_between(w, 1000, longest));
        machine_push(w, n, PID1_STOP_TIMEOUT,
                     n->keeper.stop + sim_between(w, 0, BUDGET_PID1_ACCURACY_USEC), n->units_life);
    } else
        machine_push(w, n, PID1_UNITS_EXITED, late(w), 0);
}

void machine_run_units(struct world *w, struct node *n, bool outside)
{
    n->units_life++;
    n->units_active = true;
    n->stop_begun = n->crashed = n->restarting = n->stop_failed = false;
    n->failed_stops = 0;
    n->hook = HOOK_NONE;
    n->address = w->groups[n->group].keeps;
    n->running = true;
    n->outside = outside;
    n->outside_term = outside ? n->run.term : n->outside_term;
    n->running_since = w->now;
    n->killed = false;
    sim_trace(w, n->host, "units: running%s, term %" PRIu64, outside ? " outside the slice" : "",
              n->run.term);
    checker_running(w, n);
    checker_step(w, n);
    agent_signal(w, n);
}

static void unit_starts(struct world *w, struct node *n, const struct sim_event *h)
{
    /* AssertPathExists= is looked at when the job runs; BindsTo= needs the keeper active. Nobody
     * starts a unit by hand where both copies of its guards are lost: nothing would refuse it. */
    if (h->number != n->keeper_life || n->keeper_unit != UNIT_ACTIVE || n->stop_queued ||
        !n->has_state || n->running || n->restarting)
        return;
    machine_run_units(w, n, n->bare);
}

/* ---- the keeper ---- */

static void keeper_arm(struct world *w, struct node *n)
{
    usec_t at = keeper_wakeup(&n->keeper, false, sim_host_state(w, n->host));

    machine_push(w, n, KEEPER_TIMER, sim_true(w, n->host, at) - w->now + late(w), 0);
}

static void keeper_is_ending(struct world *w, struct node *n)
{
    sim_trace(w, n->host, "keeper ends term %" PRIu64 ": %s", n->keeper.term,
              keeper_end_reason_text(n->keeper.reason));
    n->has_state = false;
    n->stop_begun = true;
    machine_push(w, n, PID1_STOPPING, late(w), 0);
    keeper_arm(w, n);
}

static void keeper_exits(struct world *w, struct node *n)
{
    n->keeper_alive = false;
    machine_push(w, n, PID1_KEEPER_EXITED, late(w), 0);
}

static void keeper_begins(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->number != n->keeper_life || n->keeper_unit != UNIT_ACTIVATING)
        return;
    if (!n->has_ticket || n->starts_fail) {
        machine_push(w, n, PID1_KEEPER_EXITED, late(w), 0);
        return;
    }
    n->has_ticket = w->mutation == MUTATION_TICKET_TWICE;

    enum ticket_verdict v = keeper_judge_ticket(&n->ticket, "group", sim_host_state(w, n->host));
    sim_trace(w, n->host, "keeper: ticket of term %" PRIu64 " is %s", n->ticket.term,
              ticket_verdict_text(v));
    if (v != TICKET_GOOD && w->mutation != MUTATION_KEEPER_BELIEVES_TICKET) {
        machine_push(w, n, PID1_KEEPER_EXITED, late(w), 0);
        return;
    }
    n->keeper = keeper_begin(&n->ticket);
    if (w->mutation == MUTATION_KEEPER_KILLS_LATE)
        n->keeper.stop += n->keeper.stop / 2;
    n->run = n->ticket;
    n->stop_begun = false;
    n->keeper_alive = true;
    n->keeper_stalled_until = 0; /* that was another process */
    n->barrier = false;
    n->state = n->ticket;
    n->has_state = true;
    checker_keeper(w, n);
    machine_push(w, n, PID1_READY, late(w),
                 keeper_watchdog_span(&n->keeper, sim_host_state(w, n->host)));
    keeper_arm(w, n);
}

static void keeper_message(struct world *w, struct node *n, const struct sim_event *h)
{
    usec_t now = sim_host_state(w, n->host);
    /* Without a deadline it is an order to end. */
    struct keeper_message m = {.magic = keeper_message_magic(n->keeper.version),
                               .verb = h->b > 0 ? KEEPER_EXTEND : KEEPER_END,
                               .term = h->a,
                               .deadline = h->b,
                               .lease = h->lease,
                               .duration = h->duration};
    enum message_verdict v;

    /* As though the clock had been read before the datagram was. */
    v = keeper_receive(
        &n->keeper, &m, keeper_message_size(n->keeper.version), true,
        w->mutation == MUTATION_KEEPER_BELIEVES_LATE ? usec_min(now, n->keeper.deadline - 1) : now);
    if (w->mutation == MUTATION_KEEPER_ADDS_GRACE && v == MESSAGE_EXTENDED)
        n->keeper.deadline += BUDGET_SLACK_USEC / 3;
    if (v == MESSAGE_EXTENDED) {
        checker_extended(w, n);
        w->coverage->new_leases += n->run.lease != n->keeper.lease;
        n->run.deadline = m.deadline;
        n->run.lease = n->state.lease = n->keeper.lease;
        n->run.duration = n->state.duration = n->keeper.duration;
        n->state.deadline = n->keeper.deadline;
        checker_covered(w, n);
        machine_push(w, n, PID1_PING, late(w), keeper_watchdog_span(&n->keeper, now));
        keeper_arm(w, n);
    } else if (v == MESSAGE_ENDED)
        keeper_is_ending(w, n);
    else
        sim_trace(w, n->host, "keeper refused: %s", message_verdict_text(v));
}

bool machine_populated(const struct node *n)
{
    return !n->outside && (n->running || n->hook == HOOK_RUNS);
}

/* A unit that PID 1 takes for up has its link wherever it runs, and its cgroup, empty or not. */
static struct keeper_look look(const struct world *w, const struct node *n, bool answered)
{
    struct keeper_look l = {.answered = answered,
                            .up = n->units_active,
                            .populated = machine_populated(n),
                            .children = !n->outside && (n->units_active || n->running),
                            .stops = w->groups[n->group].keeps ? STOPS_OPEN : STOPS_NONE};

    if (taken_for_gone(w, n) || (w->mutation == MUTATION_EMPTY_BELIEVED_FIRST && !l.populated))
        l.up = false;
    return l;
}

static void keeper_timer(struct world *w, struct node *n)
{
    usec_t now = sim_host_state(w, n->host);

    if (n->keeper.phase == KEEPER_LEADING)
        return; /* extended since: another timer is under way */
    bool due = keeper_kill_due(&n->keeper, now);
    if (w->mutation == MUTATION_KILL_FROM_THE_END)
        due = now >= usec_add(n->keeper.ended, n->keeper.stop);
    if (due)
        kill_slice(w, n, n->keeper.lease);
    struct keeper_look found = look(w, n, n->barrier);
    if (keeper_may_exit(&n->keeper, &found, false))
        keeper_exits(w, n);
    else
        keeper_arm(w, n);
}

static void keeper_handle(struct world *w, struct node *n, const struct sim_event *h)
{
    enum keeper_phase before = n->keeper.phase;

    if (w->mutation != MUTATION_KEEPER_BELIEVES_LATE || h->kind != KEEPER_MESSAGE)
        keeper_check_deadline(&n->keeper, sim_host_state(w, n->host));
    if (h->kind == KEEPER_SIGNAL)
        keeper_end(&n->keeper, KEEPER_END_SIGNAL, sim_host_state(w, n->host));
    if (before == KEEPER_LEADING && n->keeper.phase == KEEPER_ENDING)
        keeper_is_ending(w, n);
    else if (h->kind == KEEPER_TIMER)
        keeper_timer(w, n);
    else if (h->kind == KEEPER_BARRIER)
        n->barrier = true;
    if (h->kind == KEEPER_MESSAGE)
        keeper_message(w, n, h);
}

void machine_kill_keeper(struct world *w, struct node *n)
{
    if (!n->keeper_alive)
        return;
    sim_trace(w, n->host, "keeper killed");
    keeper_exits(w, n);
}

/* ---- the fence ---- */

static void fence(struct world *w, struct node *n)
{
    usec_t now = sim_host_state(w, n->host);

    if (!n->fence_running)
        return;
    struct keeper_look found = look(w, n, true);
    if (look_gone(&found, false)) {
        n->fence_running = false;
        checker_guards_gone(w, n);
        n->has_state = false;
        n->keeper_unit = UNIT_INACTIVE;
        agent_signal(w, n);
        if (n->start_queued) {
            n->start_queued = false;
            n->keeper_unit = UNIT_QUEUED;
            machine_push(w, n, PID1_JOB, late(w), 0);
        }
        return;
    }
    if (now >= n->fence_kill_at)
        kill_slice(w, n, n->keeper.lease);
    machine_push(w, n, KERNEL_FENCE,
                 sim_true(w, n->host, fence_wakeup(n->fence_began, n->fence_kill_at, now)) -
                     w->now + late(w),
                 0);
}

static void keeper_exited(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->number != n->keeper_life || n->fence_running ||
        (n->keeper_unit != UNIT_ACTIVATING && n->keeper_unit != UNIT_ACTIVE &&
         n->keeper_unit != UNIT_DEACTIVATING))
        return;
    n->keeper_unit = UNIT_DEACTIVATING;
    n->stop_queued = false;
    stop_units(w, n);
    n->fence_running = true;
    n->fence_began = sim_host_state(w, n->host);
    n->fence_kill_at = fence_kill_time(n->has_state ? &n->state : NULL, n->fence_began);
    if (w->mutation == MUTATION_KILL_FROM_THE_END)
        n->fence_kill_at = usec_add(n->fence_began, n->keeper.stop);
    machine_push(w, n, KERNEL_FENCE, sim_between(w, 1000, SPAWN_MAX_USEC), 0);
    agent_signal(w, n);
}

/* ---- PID 1 ---- */

static void answer_start(struct world *w, struct node *n, uint32_t number, uint64_t error)
{
    sim_push(w, (struct sim_event){.at = w->now + late(w),
                                   .kind = AGENT_START_ANSWER,
                                   .node = n->index,
                                   .life = n->host->life,
                                   .number = number,
                                   .a = error});
}

static void start_keeper(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->a == n->start_lost)
        return;
    switch (n->keeper_unit) {
    case UNIT_INACTIVE:
        n->keeper_unit = UNIT_QUEUED;
        machine_push(w, n, PID1_JOB, sim_between(w, 100, SPAWN_MAX_USEC), 0);
        break;
    case UNIT_DEACTIVATING:
        if (sim_chance(w, 500)) {
            answer_start(w, n, (uint32_t)h->a, 1);
            return;
        }
        n->start_queued = true;
        break;
    case UNIT_ACTIVE:
        if (h->a == UINT32_MAX) /* by hand: takes the place of the stop */
            n->stop_queued = false;
        break;
    case UNIT_QUEUED:
    case UNIT_ACTIVATING:
        break;
    }
    answer_start(w, n, (uint32_t)h->a, 0);
}

static void run_job(struct world *w, struct node *n)
{
    if (n->keeper_unit != UNIT_QUEUED)
        return;
    if (!n->has_ticket) { /* ConditionPathExists= */
        n->keeper_unit = UNIT_INACTIVE;
        agent_signal(w, n);
        return;
    }
    n->keeper_unit = UNIT_ACTIVATING;
    n->keeper_life++;
    machine_push(w, n, KERNEL_KEEPER_BEGINS, sim_between(w, 500, SPAWN_MAX_USEC), 0);
}

static void arm_watchdog(struct world *w, struct node *n, const struct sim_event *h)
{
    usec_t span = h->a;

    if (w->mutation == MUTATION_ACCURACY_FORGOTTEN)
        span = usec_add(span, BUDGET_PID1_ACCURACY_USEC);
    n->watchdog_late = h->postponed;
    n->watchdog_at = usec_add(sim_host_state(w, n->host), span);
    machine_push(w, n, PID1_WATCHDOG,
                 sim_true(w, n->host, n->watchdog_at) - w->now +
                     sim_between(w, 0, BUDGET_PID1_ACCURACY_USEC),
                 0);
}

static void keeper_ready(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->number != n->keeper_life || n->keeper_unit != UNIT_ACTIVATING)
        return;
    n->keeper_unit = UNIT_ACTIVE;
    arm_watchdog(w, n, h);
    machine_push(w, n, PID1_UNIT_START,
                 sim_chance(w, 100) ? sim_between(w, 0, 2 * USEC_PER_SEC) : late(w), 0);
    agent_signal(w, n);
}

static void deactivate(struct world *w, struct node *n)
{
    n->keeper_unit = UNIT_DEACTIVATING;
    n->stop_queued = false;
    n->stop_read_at = sim_host_state(w, n->host);
}

static void stopping(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->number != n->keeper_life)
        return;
    if (n->keeper_unit == UNIT_ACTIVE || n->keeper_unit == UNIT_ACTIVATING) {
        deactivate(w, n);
        stop_units(w, n);
        agent_signal(w, n);
    }
    if (n->keeper_alive)
        machine_push(w, n, KEEPER_BARRIER, late(w), 0);
}

static void begin_stop(struct world *w, struct node *n)
{
    deactivate(w, n);
    if (n->keeper_alive)
        machine_push(w, n, KEEPER_SIGNAL, late(w), 0);
    else /* forked, but not yet anything: dies of SIGTERM */
        machine_push(w, n, PID1_KEEPER_EXITED, late(w), 0);
}

/* What may fail at any time fails while much else does. */
static void run_hook(struct world *w, struct node *n, const struct sim_event *h)
{
    if (n->hook != HOOK_DUE || h->a != n->units_life)
        return;
    n->hook = HOOK_RUNS;
    n->hook_killed = false;
    sim_trace(w, n->host, "units: ExecStopPost=");
    hook_gone_in(w, n, sim_between(w, 1000, n->keeper.stop), !w->calm && sim_chance(w, 50));
}

static void hook_gone(struct world *w, struct node *n, const struct sim_event *h)
{
    bool failed = h->a % 2;

    if (n->hook != HOOK_RUNS || h->a / 2 != n->units_life || (n->hook_killed && !failed))
        return;
    sim_trace(w, n->host, "units: ExecStopPost= has %s", failed ? "failed" : "ended");
    n->address = failed;
    n->stop_failed = failed;
    w->coverage->stops_failed += failed;
    n->hook = HOOK_NONE;
    machine_push(w, n, PID1_HOOK_EXITED, late(w), n->units_life);
}

/* All that belongs to the end of a unit has been run: it is inactive, or is started once more. */
static void units_down(struct world *w, struct node *n)
{
    n->outside = false;
    if (n->crashed && !n->stop_begun) {
        n->restarting = true;
        machine_push(w, n, PID1_UNIT_RESTART,
                     sim_between(w, 100 * USEC_PER_MSEC, 500 * USEC_PER_MSEC), n->units_life);
    } else {
        n->units_active = false;
        if (n->stop_queued)
            begin_stop(w, n);
    }
    n->crashed = false;
    agent_signal(w, n);
}

static void units_exited(struct world *w, struct node *n)
{
    if (n->running || n->restarting || n->hook != HOOK_NONE)
        return;
    /* What has failed is not run a second time. */
    if (!n->units_active || !n->address || n->stop_failed) {
        units_down(w, n);
        return;
    }
    n->hook = HOOK_DUE;
    machine_push(w, n, PID1_HOOK, late(w), n->units_life);
}

static void hook_exited(struct world *w, struct node *n, const struct sim_event *h)
{
    if (n->hook == HOOK_NONE && h->a == n->units_life && !n->running && !n->restarting)
        units_down(w, n);
}

/* The units are stopped first, because they are ordered after the keeper. Until then the keeper is
 * active, with a job that waits, and its watchdog counts on (seen on systemd 252 and 257). */
static void stop_keeper(struct world *w, struct node *n)
{
    n->start_queued = false;
    if (n->keeper_unit == UNIT_QUEUED)
        n->keeper_unit = UNIT_INACTIVE;
    else if (n->keeper_unit == UNIT_ACTIVE && n->units_active)
        n->stop_queued = true;
    else if (n->keeper_unit == UNIT_ACTIVE || n->keeper_unit == UNIT_ACTIVATING)
        begin_stop(w, n);
    stop_units(w, n);
    agent_signal(w, n);
}

static void watchdog(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->number == n->keeper_life && n->keeper_unit == UNIT_ACTIVE &&
        sim_host_state(w, n->host) >= n->watchdog_at)
        machine_kill_keeper(w, n);
}

/* What PID 1 says of units and guards. */
static uint64_t look_bits(const struct world *w, const struct node *n)
{
    bool dead = !n->units_active || taken_for_gone(w, n);
    bool left = !n->units_active && n->stop_failed;
    bool stays = n->units_active && (!n->stop_begun || n->stop_failed);

    return (dead ? (unsigned)LOOK_DEAD : 0) | (stays ? (unsigned)LOOK_STAYS : 0) |
           (n->part_lost ? (unsigned)LOOK_PART : 0) | (n->bare ? (unsigned)LOOK_BARE : 0) |
           (n->outside ? (unsigned)LOOK_OUTSIDE : 0) | (left ? (unsigned)LOOK_LEFT : 0);
}

static void answer_look(struct world *w, struct node *n, const struct sim_event *h)
{
    enum keeper_presence keeper = n->keeper_unit == UNIT_INACTIVE                    ? KEEPER_GONE
                                  : n->keeper_unit == UNIT_ACTIVE && !n->stop_queued ? KEEPER_ACTIVE
                                                                                     : KEEPER_BUSY;

    usec_t delay = sim_chance(w, 200) ? sim_between(w, 0, ANSWER_MAX_USEC) : late(w);

    sim_push(w, (struct sim_event){.at = w->now + delay,
                                   .kind = AGENT_LOOK_ANSWER,
                                   .node = n->index,
                                   .life = n->host->life,
                                   .number = (uint32_t)h->a,
                                   .a = (uint64_t)keeper,
                                   .b = look_bits(w, n)});
}

static void pid1_handle(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->kind == PID1_LOOK)
        answer_look(w, n, h);
    else if (h->kind == PID1_START)
        start_keeper(w, n, h);
    else if (h->kind == PID1_STOP)
        stop_keeper(w, n);
    else if (h->kind == PID1_JOB)
        run_job(w, n);
    else if (h->kind == PID1_READY)
        keeper_ready(w, n, h);
    else if (h->kind == PID1_PING && h->number == n->keeper_life)
        arm_watchdog(w, n, h);
    else if (h->kind == PID1_STOPPING)
        stopping(w, n, h);
    else if (h->kind == PID1_WATCHDOG)
        watchdog(w, n, h);
    else if (h->kind == PID1_KEEPER_EXITED)
        keeper_exited(w, n, h);
    else if (h->kind == PID1_UNIT_START)
        unit_starts(w, n, h);
    else if (h->kind == PID1_UNIT_STOP)
        stop_by_hand(w, n);
    else if (h->kind == PID1_UNITS_EXITED)
        units_exited(w, n);
    else if (h->kind == PID1_HOOK)
        run_hook(w, n, h);
    else if (h->kind == PID1_HOOK_EXITED)
        hook_exited(w, n, h);
    else if (h->kind == PID1_UNIT_CRASH)
        (void)guards_crash(w, n);
    else if (h->kind == PID1_UNIT_RESTART)
        guards_restart(w, n, h);
    else if (h->kind == PID1_HEAL)
        guards_begin_heal(w, n, h);
    else if (h->kind == PID1_HEALED)
        guards_end_heal(w, n, h);
    else if (h->kind == PID1_STOP_TIMEOUT && h->number == n->keeper_life && h->a == n->units_life)
        kill_processes(w, n, n->keeper.lease);
}

void machine_handle(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->kind < KEEPER_MESSAGE)
        pid1_handle(w, n, h);
    else if (h->kind < KERNEL_KEEPER_BEGINS)
        keeper_handle(w, n, h);
    else if (h->kind == KERNEL_KEEPER_BEGINS)
        keeper_begins(w, n, h);
    else if (h->kind == KERNEL_FENCE)
        fence(w, n);
    else if (h->kind == KERNEL_HOOK_GONE)
        hook_gone(w, n, h);
    else
        processes_gone(w, n, h);
}

static void reboot_group(struct node *n)
{
    n->has_ticket = n->has_state = n->running = n->killed = n->units_active = false;
    n->hook = HOOK_NONE;
    n->outside = n->crashed = n->restarting = n->address = n->stop_failed = false;
    n->keeper_alive = n->fence_running = n->start_queued = n->stop_queued = false;
    n->keeper_unit = UNIT_INACTIVE;
    n->keeper_life++;
    n->keeper_stalled_until = 0;
}

/* The plug is pulled; a new boot, with a new clock. */
void machine_reboot(struct world *w, struct host *h)
{
    h->boot++;
    h->boot_at = w->now;
    h->offset = sim_between(w, USEC_PER_SEC, 20 * USEC_PER_SEC);
    h->pid1_stalled_until = 0;
    for (unsigned g = 0; g < w->n_groups; g++)
        reboot_group(sim_nodes(w, h) + g);
}
