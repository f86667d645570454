/* SPDX-License-Identifier: Apache-2.0 */
/* Guards that come and go. Each unit has its own twice, and either suffices; what is lost of them,
 * a heal brings back, or not. Where both copies are lost a unit that crashes is started again
 * outside its slice, and nothing but PID 1, by its name, ends it there. */
#include "sim.h"

#define RELOAD_MIN_USEC (50 * USEC_PER_MSEC)
#define RELOAD_MAX_USEC (300 * USEC_PER_MSEC)
#define HEAL_TIMEOUT_USEC (3 * USEC_PER_SEC)
#define REFUSED_PERMILLE 150
#define STOP_FAILS_PERMILLE 250
#define FAILED_STOPS_MAX 2u
#define CRASH_WITHIN_USEC (10 * USEC_PER_SEC)

/* ---- a heal ---- */

static void tell(struct world *w, struct node *n, uint32_t number, usec_t delay, bool answered)
{
    sim_push(w, (struct sim_event){.at = w->now + delay,
                                   .kind = AGENT_HEALED,
                                   .node = n->index,
                                   .life = n->host->life,
                                   .number = number,
                                   .a = answered});
}

/* One at a time for all groups of a host. */
void guards_ask_heal(struct world *w, struct host *h)
{
    struct node *n = sim_nodes(w, h);

    if (h->healing)
        return;
    h->healing = true;
    h->heal_number++;
    h->heal_asked_at = sim_host_state(w, h);
    if (w->now < h->bus_until) {
        tell(w, n, h->heal_number, 1, false);
        return;
    }
    machine_push(w, n, PID1_HEAL, sim_between(w, 100, 8000), h->heal_number);
    tell(w, n, h->heal_number, HEAL_TIMEOUT_USEC, false);
}

/* PID 1 does nothing else meanwhile; but of the guards of a host only one at a time is hindered. */
static void keep_busy(struct world *w, struct host *h, usec_t span)
{
    for (unsigned g = 0; g < w->n_groups; g++) {
        const struct node *n = sim_nodes(w, h) + g;

        if (n->outside || n->restarting || fault_keeper_hindered(w, n))
            return;
    }
    h->reload_until = w->now + span;
    h->pid1_stalled_until = usec_max(h->pid1_stalled_until, h->reload_until);
}

void guards_begin_heal(struct world *w, struct node *n, const struct sim_event *h)
{
    usec_t span = sim_between(w, RELOAD_MIN_USEC, RELOAD_MAX_USEC);

    if (sim_chance(w, REFUSED_PERMILLE)) { /* it is limited how often, or nothing can be forked */
        w->coverage->heals_refused++;
        tell(w, n, (uint32_t)h->a, sim_between(w, 10, 2000), true);
        return;
    }
    keep_busy(w, n->host, span);
    machine_push(w, n, PID1_HEALED, span, h->a);
}

void guards_end_heal(struct world *w, struct node *n, const struct sim_event *h)
{
    w->coverage->heals++;
    sim_trace(w, n->host, "PID 1 has read its files again");
    for (unsigned g = 0; g < w->n_groups; g++)
        if (!(sim_nodes(w, n->host) + g)->incurable)
            guards_back(w, sim_nodes(w, n->host) + g);
    if (!sim_chance(w, w->lost_permille))
        tell(w, n, (uint32_t)h->a, sim_between(w, 10, 2000), true);
}

/* ---- what is lost ---- */

bool guards_lose(struct world *w, struct node *n, const struct fault *f)
{
    if (n->part_lost || n->bare)
        return false;
    n->incurable = sim_chance(w, 500);
    n->part_lost = f->kind == FAULT_COPY_LOST;
    n->bare = !n->part_lost;
    if (n->bare && !n->seen_since) /* nobody will ever see that the last heal has helped */
        n->vain = n->vain_then + 1;
    if (n->bare && sim_chance(w, 500))
        machine_push(w, n, PID1_UNIT_CRASH, sim_between(w, 0, CRASH_WITHIN_USEC), 0);
    return true;
}

void guards_back(struct world *w, struct node *n)
{
    if (n->bare)
        n->back_at = w->now;
    n->part_lost = n->bare = n->incurable = false;
}

/* ---- crashes, stops that fail ---- */

bool guards_crash(struct world *w, struct node *n)
{
    if (!n->running || n->killed || n->stop_begun || n->crashed || fault_keeper_hindered(w, n) ||
        n->host->pid1_stalled_until > w->now)
        return false;
    n->crashed = true;
    machine_processes_end(w, n, sim_between(w, 10, 1000));
    return true;
}

/* Restart=always. PID 1 asks what is guarded for its keeper, and nothing of what is not. */
void guards_restart(struct world *w, struct node *n, const struct sim_event *h)
{
    if (!n->restarting || h->a != n->units_life)
        return;
    if (!n->bare && (n->keeper_unit != UNIT_ACTIVE || n->stop_queued || !n->has_state)) {
        n->restarting = n->units_active = false;
        agent_signal(w, n);
        return;
    }
    w->coverage->restarts++;
    w->coverage->restarts_outside += n->bare;
    machine_run_units(w, n, n->bare);
}

bool guards_stop_fails(struct world *w, struct node *n)
{
    w->coverage->stops_repeated += n->stop_failed;
    n->stop_failed = false;
    if (w->calm || n->failed_stops >= FAILED_STOPS_MAX || !sim_chance(w, STOP_FAILS_PERMILLE))
        return false;
    n->failed_stops++;
    n->stop_failed = true;
    w->coverage->stops_failed++;
    sim_trace(w, n->host, "units: the stop has failed");
    return true;
}
