/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, and when: planned from the seed. Afterwards the world is calm, and a leader must
 * be found. Of the guards of one host only one at a time is hindered: that is what is promised. */
#include <assert.h>
#include <string.h>

#include "sim.h"

#define LATE_SPAN_USEC (8 * USEC_PER_SEC)
#define POOLER_PERMILLE 300
#define GUARDS_LOST_USEC (60 * USEC_PER_SEC)
#define SETTLE_SPAN_USEC (12 * USEC_PER_SEC)
/* Of the deadline in a keeper's state. Where more are, the arithmetic of sim_true() ends. */
#define DAMAGED_DIGITS 12
#define WORDS_PERMILLE 300

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
    [FAULT_FORKED] = "a standby is promoted while the primary lives",
    [FAULT_OPERATOR] = "somebody gives a command by hand",
    [FAULT_STATE_DAMAGED] = "the keeper's state is damaged",
    [FAULT_COPY_LOST] = "a copy of the guards is lost",
    [FAULT_GUARDS_LOST] = "both copies of the guards are lost",
    [FAULT_UNIT_CRASHED] = "a unit crashes",
    [FAULT_COPIED] = "the host is copied as it runs",
    [FAULT_CONFIRMED] = "the leader's node is confirmed dead",
};

const char *fault_name(enum fault_kind k)
{
    return fault_names[k];
}

static enum fault_kind draw_kind(struct world *w)
{
    /* Where a clock is wrong, terms shall end by it. */
    if (w->wrong_clock && sim_chance(w, 500))
        return FAULT_CUT;
    if (w->copies && sim_chance(w, 200))
        return FAULT_COPIED;
    if (w->words && sim_chance(w, WORDS_PERMILLE))
        return FAULT_CONFIRMED;
    return (enum fault_kind)sim_below(w, FAULT_CONFIRMED);
}

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
    w->foggy = w->lost_permille > 0 || w->slow_permille > 0;
    for (unsigned i = 0; i < w->n_faults; i++) {
        struct fault *f = &w->faults[i];

        *f = (struct fault){
            .kind = draw_kind(w),
            .node = (uint8_t)sim_below(w, w->n_nodes),
            .at = sim_between(w, from, w->calm_at - 1),
            .span = sim_chance(w, w->wrong_clock ? 0 : 500)
                        ? sim_between(w, 1000, 3 * USEC_PER_SEC)
                        : sim_between(w, 1000, 25 * USEC_PER_SEC),
        };
        if (f->kind == FAULT_GUARDS_LOST && sim_chance(w, 500)) /* long enough to give up */
            f->span = sim_between(w, 0, GUARDS_LOST_USEC);
        if (f->kind == FAULT_CONFIRMED) /* long enough to be watched */
            f->span = sim_between(w, CONFIRM_WATCH_USEC / 2, 3 * CONFIRM_WATCH_USEC);
        f->span = usec_min(f->span, w->calm_at - f->at);
        sim_push(w, (struct sim_event){.at = f->at, .kind = WORLD_FAULT, .number = i});
        sim_push(w,
                 (struct sim_event){.at = f->at + f->span, .kind = WORLD_FAULT_END, .number = i});
    }
    sim_push(w, (struct sim_event){.at = w->calm_at, .kind = WORLD_CALM});
}

static void lose_all_connections(struct world *w)
{
    for (unsigned i = 0; i < w->n_hosts; i++)
        if (w->hosts[i].alive)
            agent_push_host(w, &w->hosts[i], AGENT_RESET, 0, 0);
}

bool fault_keeper_hindered(const struct world *w, const struct node *n)
{
    return n->keeper_stalled_until > w->now ||
           (!n->keeper_alive && n->keeper_unit != UNIT_INACTIVE);
}

/* PID 1's watchdog, and after it the units' stop timeout, count from when PID 1 reads the keeper's
 * message. When that was late, because PID 1 hung or because the keeper had at its deadline
 * already, the second guard is late by as much, and the first is needed. */
static bool second_guard_in_time(const struct node *n)
{
    if (n->keeper_unit == UNIT_DEACTIVATING)
        return n->stop_read_at <= n->run.deadline + BUDGET_SLACK_USEC - BUDGET_PID1_ACCURACY_USEC;
    return !n->watchdog_late;
}

/* What is not guarded any more, or runs where no keeper reaches it, is PID 1's alone. */
static bool pid1_is_needed(const struct node *n)
{
    return n->bare || n->outside || n->restarting;
}

bool fault_pid1_may_stall(struct world *w, const struct host *h)
{
    for (unsigned g = 0; g < w->n_groups; g++) {
        const struct node *n = sim_nodes(w, h) + g;

        if (fault_keeper_hindered(w, n) || pid1_is_needed(n))
            return false;
    }
    return true;
}

/* Whether it was done: of what is promised for one guard, the other must be unhindered. */
static bool hinder_host(struct world *w, struct node *n, const struct fault *f)
{
    struct host *h = n->host;

    if (f->kind == FAULT_PID1_STALLED) {
        if (!fault_pid1_may_stall(w, h))
            return false;
        h->pid1_stalled_until = usec_max(h->pid1_stalled_until, w->now + f->span);
        return true;
    }
    if (h->pid1_stalled_until > w->now || !n->keeper_alive)
        return false;
    if (f->kind == FAULT_KEEPER_KILLED) {
        machine_kill_keeper(w, n);
        return true;
    }
    if (!second_guard_in_time(n) || pid1_is_needed(n))
        return false;
    n->keeper_stalled_until = w->now + f->span;
    return true;
}

/* NODE/INSTANCE_ID: an id of each boot, and again when the file that keeps it is lost. No two hosts
 * make the same. */
static void rename_owner(struct host *h)
{
    size_t length = strlen(h->owner);
    char *id = strchr(h->owner, '/');

    assert(id);
    id[16] = "0123456789abcdef"[h->index + 1];
    h->owner[length - 1] = "0123456789abcdef"[h->boot % 16];
    h->owner[length - 2] = "0123456789abcdef"[h->instances % 16];
}

void fault_reboot(struct world *w, struct host *h, usec_t span)
{
    agent_die(w, h);
    machine_reboot(w, h);
    rename_owner(h);
    agent_push_host(w, h, AGENT_BOOT, span, 0);
}

static bool new_budget(struct world *w, struct node *n)
{
    usec_t lease = sim_between(w, 3, 12) * USEC_PER_SEC;
    usec_t stop = sim_between(w, 1, 8) * USEC_PER_SEC / 2;

    if (budget_compute(lease, stop, &n->budget) < 0)
        return false;
    if (n->host->alive && !n->retired)
        agent_push(w, n, AGENT_ORDER, 0, 0);
    return true;
}

/* A standby that had not got the last writes is promoted; or the same, and the old primary lives on
 * and has some of the hosts on its side. */
static void fail_over(struct world *w, const struct fault *f)
{
    struct server *s = &w->servers[0];

    if (f->kind == FAULT_FORKED) {
        server_fork(w);
        for (unsigned i = 0; i < w->n_hosts; i++) {
            struct host *h = &w->hosts[i];

            h->side = sim_chance(w, 500);
            if (h->side > 0 && h->alive)
                agent_push_host(w, h, AGENT_RESET, 0, 0);
        }
        return;
    }
    server_new_era(w, s);
    if (sim_chance(w, 500))
        server_lose_writes(w, s);
    s->epoch.timeline++;
}

/* One such thing at a time; and of an empty table nobody can say whether it is old or new. */
static bool may_be_replaced(const struct world *w, enum fault_kind k)
{
    return w->servers[1].era == 0 && (k != FAULT_FORKED || server_was_used(w));
}

static bool server_fault(struct world *w, const struct fault *f)
{
    struct server *s = &w->servers[0];
    unsigned group = w->nodes[f->node].group;

    if (f->kind == FAULT_ROW_LOCKED) {
        s->rows[group].locked_until = w->now + f->span;
        return true;
    }
    if (f->kind == FAULT_CLOCK_SET) {
        s->clock_set += sim_chance(w, 300) ? -f->span : f->span;
        return true;
    }
    if (!may_be_replaced(w, f->kind))
        return false;
    if (f->kind == FAULT_ROW_TAKEN)
        return server_take_row(w, group);
    if (f->kind == FAULT_CONFIRMED)
        return confirm_order(w, group, (enum sim_word)sim_below(w, WORDS), f->span);
    if (f->kind == FAULT_FAILOVER || f->kind == FAULT_FORKED)
        fail_over(w, f);
    else
        server_new_era(w, s);
    if (f->kind == FAULT_FORKED)
        return true;
    if (f->kind == FAULT_OTHER_SYSTEM) {
        s->epoch.system_id++;
        s->epoch.timeline += sim_below(w, 2);
    }
    s->down_until = usec_max(s->down_until, w->now + f->span / 4);
    /* A pooler keeps its clients: they get no answer for a while. */
    if (f->kind == FAULT_SERVER_RESTART && sim_chance(w, POOLER_PERMILLE))
        w->coverage->poolers++;
    else
        lose_all_connections(w);
    return true;
}

/* systemctl stop, start and restart, of the keeper or of a unit. */
static void command(struct world *w, struct node *n)
{
    bool keeper = sim_chance(w, 500);
    unsigned which = (unsigned)sim_below(w, 3);

    w->coverage->operators++;
    if (which != 1)
        machine_push(w, n, keeper ? PID1_STOP : PID1_UNIT_STOP, 50, 0);
    if (which != 0)
        machine_push(w, n, keeper ? PID1_START : PID1_UNIT_START,
                     sim_between(w, 50, keeper ? 5000 : 2 * USEC_PER_SEC), UINT32_MAX);
}

static bool retire(struct world *w, struct node *n, bool retired)
{
    if (n->retired == retired)
        return false;
    n->retired = retired;
    if (n->host->alive)
        agent_push(w, n, AGENT_ORDER, 0, 0);
    return true;
}

/* Its next life may be configured with another lease. */
static void kill_agent(struct world *w, struct host *h, usec_t span)
{
    agent_die(w, h);
    for (unsigned g = 0; g < w->n_groups; g++)
        if (sim_chance(w, 300))
            (void)new_budget(w, sim_nodes(w, h) + g);
    if (sim_chance(w, 100)) {
        h->instances++;
        rename_owner(h);
    }
    agent_push_host(w, h, AGENT_BOOT, span, 0);
}

/* Of an agent, which must live for it. */
static bool agent_fault(struct world *w, struct node *n, const struct fault *f)
{
    struct host *h = n->host;

    if (!h->alive)
        return false;
    if (f->kind == FAULT_RESET)
        agent_push_host(w, h, AGENT_RESET, 0, 0);
    else if (f->kind == FAULT_AGENT_KILLED)
        kill_agent(w, h, f->span / 4);
    else if (f->kind == FAULT_AGENT_STALLED)
        h->agent_stalled_until = usec_max(h->agent_stalled_until, w->now + f->span);
    else
        sim_push(w, (struct sim_event){.at = w->now,
                                       .kind = AGENT_BUS_LOST,
                                       .node = n->index,
                                       .life = h->life,
                                       .a = f->span / 4});
    return true;
}

/* One digit of the deadline is another, of microseconds up to days. */
static usec_t damage(struct world *w)
{
    usec_t digit = 1;

    for (uint64_t i = sim_below(w, DAMAGED_DIGITS); i > 0; i--)
        digit *= 10;
    return digit * sim_between(w, 1, 9);
}

static bool host_fault(struct world *w, struct node *n, const struct fault *f)
{
    struct host *h = n->host;

    if (f->kind == FAULT_RETIRED)
        return retire(w, n, true);
    if (f->kind == FAULT_NEW_BUDGET)
        return new_budget(w, n);
    if (f->kind == FAULT_CUT)
        h->cut_until = usec_max(h->cut_until, w->now + f->span);
    else if (f->kind == FAULT_REBOOT)
        fault_reboot(w, h, f->span / 4);
    else if (f->kind == FAULT_UNFIT)
        h->unfit = true;
    else if (f->kind == FAULT_NO_SLOT)
        h->no_slot = true;
    else if (f->kind == FAULT_UNGUARDED)
        n->unguarded = true;
    else if (f->kind == FAULT_STARTS_FAIL)
        n->starts_fail = true;
    else if (f->kind == FAULT_STATE_DAMAGED)
        n->damage = damage(w);
    else if (f->kind == FAULT_COPY_LOST || f->kind == FAULT_GUARDS_LOST)
        return !fault_keeper_hindered(w, n) && h->pid1_stalled_until <= w->now &&
               guards_lose(w, n, f);
    else if (f->kind == FAULT_UNIT_CRASHED)
        return guards_crash(w, n);
    else
        command(w, n);
    return true;
}

static bool is_the_servers(enum fault_kind k)
{
    return k == FAULT_SERVER_RESTART || k == FAULT_FAILOVER || k == FAULT_OTHER_SYSTEM ||
           k == FAULT_ROW_LOCKED || k == FAULT_ROW_TAKEN || k == FAULT_CLOCK_SET ||
           k == FAULT_FORKED || k == FAULT_CONFIRMED;
}

static bool is_the_guards(enum fault_kind k)
{
    return k == FAULT_PID1_STALLED || k == FAULT_KEEPER_STALLED || k == FAULT_KEEPER_KILLED;
}

static bool is_the_agents(enum fault_kind k)
{
    return k == FAULT_RESET || k == FAULT_AGENT_KILLED || k == FAULT_AGENT_STALLED ||
           k == FAULT_BUS_LOST;
}

static bool do_fault(struct world *w, struct node *n, const struct fault *f)
{
    if (f->kind == FAULT_LATE) {
        w->late_permille = 200;
        return true;
    }
    if (f->kind == FAULT_COPIED)
        return copy_make(w, n->host);
    if (is_the_servers(f->kind))
        return server_fault(w, f);
    if (is_the_guards(f->kind))
        return hinder_host(w, n, f);
    return is_the_agents(f->kind) ? agent_fault(w, n, f) : host_fault(w, n, f);
}

/* What keeps a host from starting means nothing where it has started. */
static bool is_of_starts(enum fault_kind k)
{
    return k == FAULT_NO_SLOT || k == FAULT_STARTS_FAIL || k == FAULT_UNGUARDED;
}

/* Where the group is led, if anywhere: always for what is done to a keeper, and for the cuts of a
 * run with a wrong clock; else half the time. */
static struct node *aim(struct world *w, const struct fault *f)
{
    struct node *n = &w->nodes[f->node];
    bool always = f->kind == FAULT_KEEPER_STALLED || f->kind == FAULT_KEEPER_KILLED ||
                  f->kind == FAULT_UNIT_CRASHED || (w->wrong_clock && f->kind == FAULT_CUT);

    if (is_the_servers(f->kind) || is_of_starts(f->kind) || (!always && sim_chance(w, 500)))
        return n;
    for (unsigned i = n->group; i < w->n_nodes; i += w->n_groups)
        if (w->nodes[i].keeper_alive)
            return &w->nodes[i];
    return n;
}

/* Counted is what was done: not what there was nobody for, or no room. */
void fault_begin(struct world *w, unsigned number)
{
    struct fault *f = &w->faults[number];
    struct node *n = aim(w, f);

    f->node = n->index;
    sim_trace(w, n->host, "g%u FAULT: %s, %.3f s", n->group, fault_names[f->kind],
              (double)f->span / (double)USEC_PER_SEC);
    f->done = do_fault(w, n, f);
    w->coverage->faults[f->kind] += f->done;
    if (!f->done)
        sim_trace(w, n->host,
                  "not done: it would have no effect, or more than one thing at a time");
}

void fault_end(struct world *w, unsigned number)
{
    const struct fault *f = &w->faults[number];
    struct node *n = &w->nodes[f->node];

    if (!f->done)
        return;
    if (f->kind == FAULT_LATE) {
        w->late_permille = 0;
        w->late_until = w->now + LATE_SPAN_USEC;
    } else if (f->kind == FAULT_UNFIT) {
        n->host->unfit = false;
        n->host->fit_at = w->now;
    } else if (f->kind == FAULT_NO_SLOT)
        n->host->no_slot = false;
    else if (f->kind == FAULT_UNGUARDED)
        n->unguarded = false;
    else if (f->kind == FAULT_STARTS_FAIL)
        n->starts_fail = false;
    else if (f->kind == FAULT_STATE_DAMAGED)
        n->damage = 0;
    else if (f->kind == FAULT_COPY_LOST || f->kind == FAULT_GUARDS_LOST)
        guards_back(w, n);
    else if (f->kind == FAULT_RETIRED)
        retire(w, n, false);
    else if (f->kind == FAULT_FORKED && w->servers[1].era > 0) {
        server_heal(w);
        lose_all_connections(w);
    }
}

void faults_calm(struct world *w)
{
    w->calm = true;
    w->late_permille = w->lost_permille = w->slow_permille = 0;
    for (unsigned i = 0; i < w->n_hosts; i++) {
        w->hosts[i].cut_until = 0;
        w->hosts[i].unfit = w->hosts[i].no_slot = false;
        w->hosts[i].fit_at = w->now;
    }
    w->servers[0].down_until = 0;
    confirm_calm(w);
    for (unsigned g = 0; g < w->n_groups; g++)
        w->servers[0].rows[g].locked_until = 0;
    for (unsigned i = 0; i < w->n_nodes; i++) {
        struct node *n = &w->nodes[i];

        n->unguarded = n->starts_fail = false;
        n->damage = 0;
        guards_back(w, n);
        machine_push(w, n, PID1_UNIT_START, LATE_SPAN_USEC, 0); /* what was stopped by hand */
        /* Some stay out of it, but not all. */
        if (n->host->index == 0)
            retire(w, n, false);
        else if (sim_chance(w, 100))
            retire(w, n, true);
    }
}
