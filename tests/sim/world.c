/* SPDX-License-Identifier: Apache-2.0 */
/* Time, chance and the queue of what happens next. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define STEPS_MAX 400000 /* for each group: the others go on while one waits */
#define CHECK_INTERVAL_USEC (500 * USEC_PER_MSEC)
/* In one of so many runs there are operators; all others are the same as they would be without. */
#define RUNS_BY_WORDS 7

/* splitmix64: one word of state, the same everywhere. */
static uint64_t next_random(struct world *w)
{
    uint64_t z = (w->random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t sim_random(struct world *w)
{
    return (uint32_t)next_random(w);
}

uint64_t sim_below(struct world *w, uint64_t n)
{
    assert(n > 0);

    return next_random(w) % n;
}

usec_t sim_between(struct world *w, usec_t low, usec_t high)
{
    assert(low <= high);

    return low + sim_below(w, high - low + 1);
}

bool sim_chance(struct world *w, unsigned permille)
{
    return sim_below(w, 1000) < permille;
}

static usec_t local_at(const struct host *h, usec_t at)
{
    int64_t span = (int64_t)(at - h->boot_at);

    return h->offset + (usec_t)(span + span * h->ppm / 1000000);
}

usec_t sim_host_state(const struct world *w, const struct host *h)
{
    return local_at(h, w->now);
}

struct node *sim_nodes(struct world *w, const struct host *h)
{
    return &w->nodes[h->index * w->n_groups];
}

usec_t sim_true(const struct world *w, const struct host *h, usec_t local)
{
    if (local == USEC_INFINITY)
        return USEC_INFINITY;
    if (local <= sim_host_state(w, h))
        return w->now;

    int64_t span = (int64_t)(local - h->offset);
    usec_t at = h->boot_at + (usec_t)(span * 1000000 / (1000000 + h->ppm));

    while (local_at(h, at) < local)
        at++;
    return usec_max(at, w->now);
}

struct exchange *sim_exchange(struct world *w, uint32_t number)
{
    return &w->exchanges[number % SIM_EXCHANGES_MAX];
}

void sim_trace(struct world *w, const struct host *h, const char *format, ...)
{
    va_list ap;

    if (!w->trace)
        return;
    printf("%12.6f ", (double)w->now / (double)USEC_PER_SEC);
    if (h)
        printf("n%u [%" PRIu64 "] ", h->index, sim_host_state(w, h));
    va_start(ap, format);
    (void)vprintf(format, ap);
    va_end(ap);
    (void)putchar('\n');
}

void sim_violate(struct world *w, enum violation v, const char *format, ...)
{
    va_list ap;

    if (w->violation != VIOLATION_NONE || (w->only != VIOLATION_NONE && w->only != v))
        return;
    w->violation = v;
    va_start(ap, format);
    (void)vsnprintf(w->text, sizeof w->text, format, ap);
    va_end(ap);
    sim_trace(w, NULL, "VIOLATION: %s: %s", sim_violation_name(v), w->text);
}

const char *sim_violation_name(enum violation v)
{
    static const char *const names[VIOLATIONS] = {
        [VIOLATION_NONE] = "none",
        [VIOLATION_TWO_LEADERS] = "two nodes run units",
        [VIOLATION_TERM_REUSED] = "term reused",
        [VIOLATION_SECOND_TICKET] = "second ticket for a term",
        [VIOLATION_TICKET] = "ticket that must not be",
        [VIOLATION_DEADLINE] = "deadline beyond the acknowledgement",
        [VIOLATION_COVER] = "the lease in the record does not cover the keeper",
        [VIOLATION_CLAIM] = "claim before full observation",
        [VIOLATION_LIFE] = "claim on observation from before a restart",
        [VIOLATION_RELEASE] = "release before proven death",
        [VIOLATION_ORPHAN] = "orphan released before it was seen unchanged",
        [VIOLATION_COPY] = "a copy found where there is none",
        [VIOLATION_COPIES] = "two copies of a host run for too long",
        [VIOLATION_CONFIRM] = "confirmed dead as it must not be",
        [VIOLATION_STOP] = "stop not begun at the deadline",
        [VIOLATION_HISTORY] = "an older history believed",
        [VIOLATION_LOCK] = "granted without the lock",
        [VIOLATION_GUARDS] = "lost guards misjudged",
        [VIOLATION_ALIVE] = "alive after the deadline and the stop timeout",
        [VIOLATION_GONE] = "keeper gone before the group was",
        [VIOLATION_SPINNING] = "spinning",
        [VIOLATION_NO_LEADER] = "nobody leads",
        [VIOLATION_UNREST] = "leader lost without a fault",
    };

    return names[v];
}

/* ---- the queue: a binary heap, ties in the order of arrival ---- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_push(struct world *w, struct sim_event h)
{
    unsigned i = w->n_queue++;

    assert(w->n_queue <= SIM_EVENTS_MAX);
    assert(h.at >= w->now);
    h.order = w->order++;
    for (; i > 0 && earlier(&h, &w->queue[(i - 1) / 2]); i = (i - 1) / 2)
        w->queue[i] = w->queue[(i - 1) / 2];
    w->queue[i] = h;
}

static struct sim_event pop(struct world *w)
{
    struct sim_event top = w->queue[0], last = w->queue[--w->n_queue];
    unsigned i = 0;

    for (;;) {
        unsigned child = 2 * i + 1;

        if (child >= w->n_queue)
            break;
        if (child + 1 < w->n_queue && earlier(&w->queue[child + 1], &w->queue[child]))
            child++;
        if (!earlier(&w->queue[child], &last))
            break;
        w->queue[i] = w->queue[child];
        i = child;
    }
    w->queue[i] = last;
    return top;
}

/* ---- who it is for ---- */

static enum actor actor_of(enum kind k)
{
    if (k < AGENT_BOOT)
        return ACTOR_WORLD;
    if (k < PID1_LOOK)
        return ACTOR_AGENT;
    if (k < KEEPER_MESSAGE)
        return ACTOR_PID1;
    return k < KERNEL_KEEPER_BEGINS ? ACTOR_KEEPER : ACTOR_KERNEL;
}

/* What is for somebody who died is dropped; what is for somebody who is stalled waits. */
static bool deliverable(struct world *w, struct node *n, struct sim_event *h)
{
    usec_t until = 0;

    switch (actor_of(h->kind)) {
    case ACTOR_WORLD:
        return true;
    case ACTOR_AGENT:
        if (h->life != n->host->life)
            return false;
        until = n->host->agent_stalled_until;
        break;
    case ACTOR_PID1:
        if (h->life != n->host->boot)
            return false;
        until = n->host->pid1_stalled_until;
        break;
    case ACTOR_KEEPER:
        if (h->life != n->keeper_life || !n->keeper_alive)
            return false;
        until = n->keeper_stalled_until;
        break;
    case ACTOR_KERNEL:
        if (h->life != n->host->boot)
            return false;
        break;
    }
    if (until <= w->now)
        return true;
    h->postponed = true;
    /* What has queued up for an agent comes from many places: in any order. */
    h->at = until + (actor_of(h->kind) == ACTOR_AGENT ? sim_below(w, SHUFFLE_USEC) : 0);
    sim_push(w, *h);
    return false;
}

static void handle_world(struct world *w, const struct sim_event *h)
{
    if (h->kind == WORLD_FAULT)
        fault_begin(w, h->number);
    else if (h->kind == WORLD_FAULT_END)
        fault_end(w, h->number);
    else if (h->kind == WORLD_CALM)
        faults_calm(w);
    else if (h->kind == SERVER_EXECUTE)
        server_execute(w, h->number);
    else if (h->kind == SERVER_COMMIT)
        server_commit(w, h);
    else if (h->kind == WORLD_CONFIRM)
        confirm_handle(w, h);
    else if (h->kind == WORLD_CONFIRM_ANSWER)
        confirm_answered(w, h->number);
    else if (h->kind == WORLD_CHECK) {
        checker_check(w);
        sim_push(w, (struct sim_event){.at = w->now + CHECK_INTERVAL_USEC, .kind = WORLD_CHECK});
    }
}

static void handle(struct world *w, struct sim_event *h)
{
    struct node *n = &w->nodes[h->node];

    if (!deliverable(w, n, h))
        return;
    w->steps++;
    switch (actor_of(h->kind)) {
    case ACTOR_WORLD:
        handle_world(w, h);
        return;
    case ACTOR_AGENT:
        agent_handle(w, n, h);
        return;
    case ACTOR_PID1:
    case ACTOR_KEEPER:
    case ACTOR_KERNEL:
        machine_handle(w, n, h);
        return;
    }
}

/* ---- a run ---- */

/* 1 to 40 % off, in either direction. */
static int64_t wrong_rate(struct world *w)
{
    int64_t ppm = (int64_t)sim_between(w, 10000, 400000);

    return sim_chance(w, 500) ? ppm : -ppm;
}

static void begin_host(struct world *w, struct host *h, uint8_t index)
{
    /* An administrator's mistake: two nodes of one name. */
    unsigned name = index == 1 && sim_chance(w, 50) ? 0 : index;

    w->coverage->namesakes += name != index;
    *h = (struct host){
        .index = index,
        .family = index,
        .offset = sim_between(w, USEC_PER_SEC, 1000 * USEC_PER_SEC),
        /* Kept a little below the bound, so that rounding stays within it. */
        .ppm = w->wrong_clock && index == 0 ? wrong_rate(w) : (int64_t)sim_below(w, 1999) - 999,
        .life = 1,
        .boot = 1,
    };
    (void)snprintf(h->owner, sizeof h->owner, "node%u/%016x%014x%02x", name, index + 1, 0, 1);
    sim_push(w, (struct sim_event){.at = sim_between(w, 0, 3 * USEC_PER_SEC),
                                   .kind = AGENT_BOOT,
                                   .node = sim_nodes(w, h)->index,
                                   .life = h->life});
}

static void choose_budgets(struct world *w, unsigned group)
{
    static const struct {
        usec_t lease, stop;
    } choices[] = {{15000000, 5000000}, {10000000, 3000000}, {6000000, 2000000},
                   {4000000, 1000000},  {3000000, 500000},   {3000000, 1500000}};
    uint64_t common = sim_below(w, sizeof choices / sizeof choices[0]);
    bool mixed = sim_chance(w, 150);

    for (unsigned i = 0; i < w->n_hosts; i++) {
        uint64_t c = mixed ? sim_below(w, sizeof choices / sizeof choices[0]) : common;
        int r = budget_compute(choices[c].lease, choices[c].stop,
                               &w->nodes[i * w->n_groups + group].budget);

        assert(r == 0);
    }
}

/* Each group has its own; now and then not all hosts are configured with the same. */
static void choose_methods(struct world *w, unsigned group)
{
    enum method common = sim_chance(w, 500) ? METHOD_ADVISORY : METHOD_LEASE;
    bool mixed = sim_chance(w, 50);

    for (unsigned i = 0; i < w->n_hosts; i++)
        w->nodes[i * w->n_groups + group].method = !mixed               ? common
                                                   : sim_chance(w, 500) ? METHOD_ADVISORY
                                                                        : METHOD_LEASE;
}

static void begin(struct world *w)
{
    w->n_hosts = (unsigned)sim_between(w, 2, sim_chance(w, 800) ? 4 : SIM_HOSTS_MAX);
    w->n_groups = sim_chance(w, 800) ? 1 : (unsigned)sim_between(w, 2, SIM_GROUPS_MAX);
    w->n_nodes = w->n_hosts * w->n_groups;
    w->wrong_clock = sim_chance(w, 50);
    w->coverage->wrong_clocks += w->wrong_clock;
    if (sim_chance(w, 100))
        w->connections_last = sim_between(w, 400 * USEC_PER_MSEC, 1200 * USEC_PER_MSEC);
    w->coverage->short_connections += w->connections_last > 0;
    w->copies = sim_chance(w, 50);
    w->words = w->seed % RUNS_BY_WORDS == 0;
    server_begin(w);
    for (unsigned i = 0; i < w->n_nodes; i++)
        w->nodes[i] = (struct node){.index = (uint8_t)i,
                                    .group = (uint8_t)(i % w->n_groups),
                                    .host = &w->hosts[i / w->n_groups]};
    for (unsigned i = 0; i < w->n_hosts; i++)
        begin_host(w, &w->hosts[i], (uint8_t)i);
    for (unsigned g = 0; g < w->n_groups; g++) {
        w->groups[g].leader = -1;
        w->groups[g].keeps = sim_chance(w, 500);
        choose_budgets(w, g);
        choose_methods(w, g);
    }
    faults_plan(w);
    sim_push(w, (struct sim_event){.at = w->late_at, .kind = WORLD_CHECK});
}

enum violation sim_run(struct world *w, uint64_t seed, const struct sim_options *options,
                       struct coverage *coverage)
{
    memset(w, 0, offsetof(struct world, queue));
    w->seed = seed;
    w->random = seed * UINT64_C(0xd1342543de82ef95) + 1;
    w->mutation = options->mutation;
    w->only = options->only;
    w->trace = options->trace;
    w->coverage = coverage;
    begin(w);
    while (w->violation == VIOLATION_NONE && !w->done && w->n_queue > 0) {
        struct sim_event h = pop(w);

        w->now = h.at;
        if (w->steps > (uint64_t)STEPS_MAX * w->n_groups * w->n_groups) {
            sim_violate(w, VIOLATION_SPINNING, "more than %" PRIu64 " steps", w->steps - 1);
            break;
        }
        for (unsigned i = 0; i < w->n_nodes; i++)
            checker_step(w, &w->nodes[i]);
        handle(w, &h);
    }
    for (unsigned i = 0; i < w->n_hosts; i++)
        advisory_free(&w->hosts[i].advisory);
    coverage->runs++;
    coverage->steps += w->steps;
    return w->violation;
}
