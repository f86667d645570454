/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a running host: a virtual machine that was cloned with its memory, or whose snapshot
 * was resumed beside it. Both have the same name and instance, and know the same; what is under way
 * in one of them is so in the other, but for its connection. This must not be done, and cannot be
 * prevented: what is promised is that it ends soon, and is reported. */
#include <string.h>

#include "sim.h"

#define EVENTS_MAX 2048u
/* From a question to its answer, where nothing is late; and what a host takes to act on it. */
#define ANSWERS_USEC (100 * USEC_PER_MSEC)
#define WITHOUT_KEEPER_PERMILLE 300
#define RESTARTED_PERMILLE 300

/* ---- making one ---- */

/* Its connection is a connection of the other one's, and goes nowhere. */
static void copy_tick(struct world *w, const struct host *h, struct host *c)
{
    uint32_t first = w->n_exchanges, n = h->busy ? sim_exchange(w, h->tick)->n : 0;

    for (uint32_t i = 0; i < n; i++) {
        struct exchange *x = sim_exchange(w, w->n_exchanges++);

        *x = *sim_exchange(w, h->tick + i);
        x->node = (uint8_t)(x->node + (c->index - h->index) * w->n_groups);
        x->first = first;
        x->given_up = true;
    }
    c->tick = first;
}

static bool is_copied(const struct world *w, const struct host *h, const struct sim_event *what)
{
    if (what->kind < AGENT_BOOT || w->nodes[what->node].host != h)
        return false; /* the world's, or another's */
    return what->kind != AGENT_ANSWER && what->kind != AGENT_HINT && what->kind != AGENT_RESET;
}

/* What waits to happen in the one, happens in the other, too. */
static void copy_events(struct world *w, const struct host *h, const struct host *c)
{
    static struct sim_event events[EVENTS_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_queue && n < EVENTS_MAX; i++)
        if (is_copied(w, h, &w->queue[i]))
            events[n++] = w->queue[i];
    for (unsigned i = 0; i < n; i++) {
        events[i].node = (uint8_t)(events[i].node + (c->index - h->index) * w->n_groups);
        if (events[i].kind == AGENT_TIME_UP)
            events[i].number = c->tick;
        sim_push(w, events[i]);
    }
}

/* Of the machine the agent's part alone, as though the rest had never been there. */
static void without_keeper(struct node *n)
{
    n->keeper_alive = n->has_state = n->has_ticket = n->running = n->killed = false;
    n->units_active = n->fence_running = n->start_queued = n->stop_queued = false;
    n->outside = n->crashed = n->restarting = n->address = n->stop_failed = false;
    n->hook = HOOK_NONE;
    n->hook_killed = n->stop_begun = false;
    n->keeper_unit = UNIT_INACTIVE;
    n->keeper_life++;
    n->units_life++;
}

static void copy_nodes(struct world *w, struct host *h, struct host *c)
{
    bool bare = sim_chance(w, WITHOUT_KEEPER_PERMILLE);

    for (unsigned g = 0; g < w->n_groups; g++) {
        struct node *n = sim_nodes(w, c) + g;

        *n = sim_nodes(w, h)[g];
        n->index = (uint8_t)(n->index + (c->index - h->index) * w->n_groups);
        n->host = c;
        w->coverage->copied_leaders += n->running;
        if (bare)
            without_keeper(n);
        n->running_since = w->now;
    }
}

bool copy_make(struct world *w, const struct host *from)
{
    struct host *h = &w->hosts[from->index], *c = &w->hosts[w->n_hosts];
    usec_t dark = sim_between(w, 1000, USEC_PER_SEC);

    if (!w->copies || w->n_copies == SIM_COPIES_MAX || w->n_hosts == SIM_HOSTS_MAX)
        return false;
    w->n_copies++;
    w->coverage->copies++;
    *c = *h;
    c->index = (uint8_t)w->n_hosts++;
    w->n_nodes += w->n_groups;
    c->advisory = (struct advisory){0};
    h->copied = c->copied = true;
    copy_nodes(w, h, c);
    copy_tick(w, h, c);
    copy_events(w, h, c);
    /* Until it notices, nothing of it reaches anybody. */
    c->cut_until = usec_max(c->cut_until, w->now + dark);
    if (c->connected)
        agent_push_host(w, c, AGENT_RESET, dark, 0);
    if (sim_chance(w, RESTARTED_PERMILLE)) {
        agent_die(w, c);
        agent_push_host(w, c, AGENT_BOOT, sim_between(w, 0, USEC_PER_SEC), 0);
    }
    return true;
}

/* ---- what is promised ---- */

static bool kin(const struct node *a, const struct node *b)
{
    return a->host->family == b->host->family;
}

/* Whatever one copy has given back or lost, the other one, which could not know, runs on, or
 * begins, by the deadline that it has. */
bool copy_may_overlap(const struct node *a, const struct node *b)
{
    return a->host->copied || b->host->copied;
}

/* Since when does nothing keep it from asking, being answered and doing what follows? */
static usec_t free_since(const struct world *w, const struct node *n)
{
    const struct host *h = n->host;
    const struct server *s = &w->servers[h->server];
    const usec_t until[] = {h->cut_until,          h->agent_stalled_until,
                            h->pid1_stalled_until, n->keeper_stalled_until,
                            h->bus_until,          s->rows[n->group].locked_until,
                            s->down_until,         w->late_until};
    usec_t since = usec_max(h->connected_at, h->fit_at);

    if (!h->alive || !h->connected || h->unfit || w->foggy || w->late_permille > 0 ||
        w->servers[1].era > 0)
        return w->now;
    for (size_t i = 0; i < sizeof until / sizeof until[0]; i++)
        since = usec_max(since, until[i]);
    return usec_min(since, w->now);
}

static usec_t interval(const struct node *n)
{
    return usec_min(n->run.duration / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);
}

static usec_t rest(const struct node *n)
{
    return BUDGET_SLACK_USEC + n->run.stop + budget_kill(n->run.lease);
}

/* Both reach the arbiter: each has asked within an interval, and one of them has its answer. A lock
 * that is in the way of one costs the other its connection. */
static usec_t bound_of_both(const struct node *a, const struct node *b)
{
    return usec_max(interval(a), interval(b)) + ANSWERS_USEC + usec_max(rest(a), rest(b));
}

/* One of them does not: it ends by its deadline. */
static usec_t bound_of_one(const struct node *a, const struct node *b)
{
    usec_t bound = usec_max(a->run.duration + rest(a), b->run.duration + rest(b));

    return bound + 2 * bound / BUDGET_CLOCK_RATE_DIVISOR;
}

static usec_t overlap_since(const struct world *w, const struct node *a, const struct node *b)
{
    return usec_max(w->groups[a->group].taken_at, usec_max(a->running_since, b->running_since));
}

static void check_pair(struct world *w, const struct node *a, const struct node *b)
{
    usec_t since = overlap_since(w, a, b);
    usec_t both = usec_max(since, usec_max(free_since(w, a), free_since(w, b)));

    if (w->now - since > bound_of_one(a, b))
        sim_violate(w, VIOLATION_COPIES, "n%u and n%u run at once", a->index, b->index);
    if (kin(a, b) && a->run.term == b->run.term && w->now - both > bound_of_both(a, b))
        sim_violate(w, VIOLATION_COPIES, "n%u and n%u run at once, and both could know", a->index,
                    b->index);
}

static bool overlap(const struct node *a, const struct node *b)
{
    return a != b && a->running && b->running && a->zombie == b->zombie;
}

void copy_step(struct world *w, const struct node *n)
{
    for (unsigned i = n->group; w->n_copies > 0 && !w->wrong_clock && i < w->n_nodes;
         i += w->n_groups)
        if (overlap(n, &w->nodes[i]))
            check_pair(w, n, &w->nodes[i]);
}

void copy_gone(struct world *w, const struct node *n)
{
    for (unsigned i = n->group; w->n_copies > 0 && i < w->n_nodes; i += w->n_groups)
        if (overlap(n, &w->nodes[i])) {
            w->coverage->copies_at_once++;
            w->coverage->copy_overlap_usec +=
                w->now - usec_max(n->running_since, w->nodes[i].running_since);
        }
}
