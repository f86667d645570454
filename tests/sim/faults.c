/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, and when: planned from the seed. Afterwards the world is calm, and a leader must
 * be found. Of the guards of one host only one at a time is hindered: that is what is promised. */
#include <string.h>

#include "sim.h"

#define LATE_SPAN_USEC (8 * USEC_PER_SEC)
#define SETTLE_SPAN_USEC (12 * USEC_PER_SEC)

static const char *const fault_names[FAULTS] = {
    [FAULT_CUT] = "the network is cut",
    [FAULT_RESET] = "the connection is reset",
    [FAULT_SERVER_RESTART] = "the server restarts",
    [FAULT_FAILOVER] = "the server fails over",
    [FAULT_OTHER_SYSTEM] = "another system takes the server's place",
    [FAULT_ROW_LOCKED] = "the row is locked",
    [FAULT_ROW_TAKEN] = "the row is taken away",
    [FAULT_LATE] = "messages are late",
    [FAULT_AGENT_KILLED] = "the agent is killed",
    [FAULT_AGENT_STALLED] = "the agent is stalled",
    [FAULT_KEEPER_KILLED] = "the keeper is killed",
    [FAULT_KEEPER_STALLED] = "the keeper is stalled",
    [FAULT_PID1_STALLED] = "PID 1 is stalled",
    [FAULT_BUS_LOST] = "the bus is lost",
    [FAULT_REBOOT] = "the host reboots",
    [FAULT_RETIRED] = "the member is stopped",
    [FAULT_UNFIT] = "the clock is unfit",
    [FAULT_NO_SLOT] = "no slot for a start",
    [FAULT_UNGUARDED] = "the guards are not in effect",
    [FAULT_STARTS_FAIL] = "starts fail",
    [FAULT_NEW_BUDGET] = "another budget",
    [FAULT_CLOCK_SET] = "the server's wall clock is set",
};

void faults_plan(struct world *w)
{
    usec_t from = 2 * USEC_PER_SEC;

    w->calm_at = from + sim_between(w, 10 * USEC_PER_SEC, 60 * USEC_PER_SEC);
    w->late_at = w->calm_at + LATE_SPAN_USEC;
    w->quiet_at = w->late_at + SETTLE_SPAN_USEC;
    w->n_faults = (unsigned)sim_below(w, SIM_FAULTS_MAX / 2);
    /* Some runs are all fog, some have but a few clear faults. */
    w->lost_permille = sim_chance(w, 500) ? (unsigned)sim_below(w, 60) : 0;
    w->slow_permille = sim_chance(w, 500) ? (unsigned)sim_below(w, 60) : 0;
    for (unsigned i = 0; i < w->n_faults; i++) {
        struct fault *f = &w->faults[i];

        *f = (struct fault){
            .kind = (enum fault_kind)sim_below(w, FAULTS),
            .node = (uint8_t)sim_below(w, w->n_nodes),
            .at = sim_between(w, from, w->calm_at - 1),
            .span = sim_chance(w, 500) ? sim_between(w, 1000, 3 * USEC_PER_SEC)
                                       : sim_between(w, 1000, 25 * USEC_PER_SEC),
        };
        f->span = usec_min(f->span, w->calm_at - f->at);
        sim_push(w, (struct happening){.at = f->at, .kind = WORLD_FAULT, .number = i});
        sim_push(w,
                 (struct happening){.at = f->at + f->span, .kind = WORLD_FAULT_END, .number = i});
    }
    sim_push(w, (struct happening){.at = w->calm_at, .kind = WORLD_CALM});
}

static void lose_all_connections(struct world *w)
{
    for (unsigned i = 0; i < w->n_nodes; i++)
        if (w->nodes[i].alive)
            agent_push(w, &w->nodes[i], AGENT_RESET, 0, 0);
}

static void boot_later(struct world *w, struct node *n, usec_t delay)
{
    agent_push(w, n, AGENT_BOOT, delay, 0);
}

static bool keeper_hindered(const struct world *w, const struct node *n)
{
    return n->keeper_stalled_until > w->now ||
           (!n->keeper_alive && n->keeper_unit != UNIT_INACTIVE);
}

/* PID 1's watchdog, and after it the units' stop timeout, count from when PID 1 reads the keeper's
 * message. When that was late, the second guard is late by as much, and the first is needed. */
static bool second_guard_in_time(const struct node *n)
{
    if (n->keeper_unit == UNIT_DEACTIVATING)
        return n->stop_read_at <=
               n->run.deadline + BUDGET_SLACK_USEC - KEEPER_WATCHDOG_ACCURACY_USEC;
    return n->watchdog_at <=
           n->run.deadline + BUDGET_SLACK_USEC - KEEPER_WATCHDOG_ACCURACY_USEC + TOLD_USEC;
}

static void hinder_host(struct world *w, struct node *n, const struct fault *f)
{
    if (f->kind == FAULT_PID1_STALLED && !keeper_hindered(w, n))
        n->pid1_stalled_until = usec_max(n->pid1_stalled_until, w->now + f->span);
    else if (n->pid1_stalled_until > w->now)
        return;
    else if (f->kind == FAULT_KEEPER_STALLED && n->keeper_alive && second_guard_in_time(n))
        n->keeper_stalled_until = w->now + f->span;
    else if (f->kind == FAULT_KEEPER_KILLED)
        machine_kill_keeper(w, n);
}

/* NODE/INSTANCE_ID: an id of each boot, and anew when the file that keeps it is lost. */
static void rename_owner(struct node *n)
{
    size_t length = strlen(n->owner);

    n->owner[length - 1] = "0123456789abcdef"[n->boot % 16];
    n->owner[length - 2] = "0123456789abcdef"[n->instances % 16];
}

static void reboot(struct world *w, struct node *n, usec_t span)
{
    agent_die(w, n);
    machine_reboot(w, n);
    rename_owner(n);
    boot_later(w, n, span);
}

static void new_budget(struct world *w, struct node *n)
{
    (void)budget_compute(sim_between(w, 3, 12) * USEC_PER_SEC, USEC_PER_SEC, &n->budget);
    if (n->alive && !n->retired)
        agent_push(w, n, AGENT_ORDER, 0, 0);
}

static void server_fault(struct world *w, const struct fault *f)
{
    struct server *s = &w->server;

    if (f->kind == FAULT_ROW_LOCKED) {
        s->locked_until = w->now + f->span;
        return;
    }
    if (f->kind == FAULT_ROW_TAKEN) {
        server_take_row(w);
        return;
    }
    if (f->kind == FAULT_CLOCK_SET) {
        s->clock_set += sim_chance(w, 300) ? -f->span : f->span;
        return;
    }
    server_new_era(w);
    if (f->kind == FAULT_FAILOVER)
        s->epoch.timeline++;
    else if (f->kind == FAULT_OTHER_SYSTEM) {
        s->epoch.system_id++;
        s->epoch.timeline += sim_below(w, 2);
    }
    s->down_until = usec_max(s->down_until, w->now + f->span / 4);
    lose_all_connections(w);
}

static void host_fault(struct world *w, struct node *n, const struct fault *f)
{
    if (f->kind == FAULT_CUT)
        n->cut_until = usec_max(n->cut_until, w->now + f->span);
    else if (f->kind == FAULT_RESET && n->alive)
        agent_push(w, n, AGENT_RESET, 0, 0);
    else if (f->kind == FAULT_AGENT_KILLED && n->alive) {
        agent_die(w, n);
        if (sim_chance(w, 100)) {
            n->instances++;
            rename_owner(n);
        }
        boot_later(w, n, f->span / 4);
    } else if (f->kind == FAULT_AGENT_STALLED)
        n->agent_stalled_until = usec_max(n->agent_stalled_until, w->now + f->span);
    else if (f->kind == FAULT_BUS_LOST && n->alive)
        sim_push(w, (struct happening){.at = w->now,
                                       .kind = AGENT_BUS_LOST,
                                       .node = n->index,
                                       .life = n->life,
                                       .a = f->span / 4});
    else if (f->kind == FAULT_REBOOT)
        reboot(w, n, f->span / 4);
    else if (f->kind == FAULT_RETIRED && !n->retired) {
        n->retired = true;
        if (n->alive)
            agent_push(w, n, AGENT_ORDER, 0, 0);
    } else if (f->kind == FAULT_UNFIT)
        n->unfit = true;
    else if (f->kind == FAULT_NO_SLOT)
        n->no_slot = true;
    else if (f->kind == FAULT_UNGUARDED)
        n->unguarded = true;
    else if (f->kind == FAULT_STARTS_FAIL)
        n->starts_fail = true;
    else if (f->kind == FAULT_NEW_BUDGET)
        new_budget(w, n);
}

void fault_begin(struct world *w, unsigned number)
{
    const struct fault *f = &w->faults[number];
    struct node *n = &w->nodes[f->node];

    w->coverage->faults[f->kind]++;
    sim_trace(w, n, "FAULT: %s, %.3f s", fault_names[f->kind],
              (double)f->span / (double)USEC_PER_SEC);
    if (f->kind == FAULT_LATE)
        w->late_permille = 200;
    else if (f->kind == FAULT_SERVER_RESTART || f->kind == FAULT_FAILOVER ||
             f->kind == FAULT_OTHER_SYSTEM || f->kind == FAULT_ROW_LOCKED ||
             f->kind == FAULT_ROW_TAKEN || f->kind == FAULT_CLOCK_SET)
        server_fault(w, f);
    else if (f->kind == FAULT_PID1_STALLED || f->kind == FAULT_KEEPER_STALLED ||
             f->kind == FAULT_KEEPER_KILLED)
        hinder_host(w, n, f);
    else
        host_fault(w, n, f);
}

void fault_end(struct world *w, unsigned number)
{
    const struct fault *f = &w->faults[number];
    struct node *n = &w->nodes[f->node];

    if (f->kind == FAULT_LATE)
        w->late_permille = 0;
    else if (f->kind == FAULT_UNFIT)
        n->unfit = false;
    else if (f->kind == FAULT_NO_SLOT)
        n->no_slot = false;
    else if (f->kind == FAULT_UNGUARDED)
        n->unguarded = false;
    else if (f->kind == FAULT_STARTS_FAIL)
        n->starts_fail = false;
    else if (f->kind == FAULT_RETIRED && n->retired) {
        n->retired = false;
        if (n->alive)
            agent_push(w, n, AGENT_ORDER, 0, 0);
    }
}

void faults_calm(struct world *w)
{
    w->calm = true;
    w->late_permille = w->lost_permille = w->slow_permille = 0;
    w->server.down_until = w->server.locked_until = 0;
    for (unsigned i = 0; i < w->n_nodes; i++) {
        struct node *n = &w->nodes[i];

        n->cut_until = 0;
        n->unfit = n->no_slot = n->unguarded = n->starts_fail = false;
        /* Some stay out of it, but not all. */
        if (i > 0 && !n->retired && sim_chance(w, 100)) {
            n->retired = true;
            if (n->alive)
                agent_push(w, n, AGENT_ORDER, 0, 0);
        } else if (n->retired && i == 0) {
            n->retired = false;
            if (n->alive)
                agent_push(w, n, AGENT_ORDER, 0, 0);
        }
    }
}
