/* SPDX-License-Identifier: Apache-2.0 */
/* One host below the agent: PID 1 with the keeper's unit and the group's units, the keeper by its
 * shipped rules, its fence, and the processes of the units. */
#include <assert.h>
#include <string.h>

#include "search.h"

static usec_t now(void)
{
    return SEARCH_NOW(grid);
}

/* ---- messages to the keeper ---- */

/* An unread message is made useless by a later one of its kind. */
void machine_send(struct node *n, uint32_t verb, uint64_t term, usec_t deadline)
{
    struct message *free = NULL;

    if (!n->keeper_alive)
        return;
    for (unsigned i = 0; i < SEARCH_MESSAGES_MAX; i++) {
        struct message *m = &n->messages[i];

        if (m->pending == PENDING_NO)
            free = free ? free : m;
        else if (m->pending == PENDING_NOW && m->verb == verb && m->term == term) {
            m->deadline = usec_max(m->deadline, deadline);
            return;
        }
    }
    assert(free);
    *free =
        (struct message){.pending = PENDING_NOW, .verb = verb, .term = term, .deadline = deadline};
}

/* PID 1 stops the units, by their names. */
static void begin_stop(struct node *n)
{
    if (!n->stop_begun)
        n->stopped_at = now();
    n->stop_begun = true;
}

static void is_ending(struct node *n)
{
    n->has_state = false;
    begin_stop(n);
    n->units_start = PENDING_NO;
    n->unit = UNIT_DEACTIVATING;
    n->stop_queued = false;
    n->look_wanted = n->alive;
}

static void count_verdict(enum message_verdict v)
{
    coverage.covers[COVER_EXTENSION_NOT_LATER] += v == MESSAGE_NOT_LATER || v == MESSAGE_REPEATED;
    coverage.covers[COVER_EXTENSION_ENDING] += v == MESSAGE_ALREADY_ENDING;
}

/* The keeper asks for its deadline before it reads anything. */
void machine_message(struct world *w, struct node *n, unsigned number)
{
    struct message m = n->messages[number];
    struct keeper_message wire = {
        .magic = KEEPER_MESSAGE_MAGIC,
        .verb = m.verb,
        .term = m.term,
        .deadline = m.deadline,
        .lease = grid.budget.lease,
        .duration = grid.budget.duration,
    };
    usec_t at =
        broken == BREAK_KEEPER_BELIEVES_LATE ? usec_min(now(), n->keeper.deadline - 1) : now();

    n->messages[number] = (struct message){0};
    if (broken != BREAK_KEEPER_BELIEVES_LATE && n->keeper.phase == KEEPER_LEADING) {
        keeper_check_deadline(&n->keeper, now());
        if (n->keeper.phase == KEEPER_ENDING)
            is_ending(n);
    }

    enum message_verdict v = keeper_receive(&n->keeper, &wire, sizeof wire, true, at);

    count_verdict(v);
    if (broken == BREAK_KEEPER_ADDS_GRACE && v == MESSAGE_EXTENDED)
        n->keeper.deadline += grid.tick;
    if (v == MESSAGE_EXTENDED) {
        checker_extended(w, n);
        n->run.deadline = m.deadline;
        n->state.deadline = n->keeper.deadline;
        n->watchdog_at = now() + keeper_watchdog_span(&n->keeper, now());
    } else if (v == MESSAGE_ENDED)
        is_ending(n);
}

/* ---- start ---- */

static void keeper_begins(struct world *w, struct node *n)
{
    struct ticket t = {.version = TICKET_VERSION,
                       .group = "group",
                       .node = "node",
                       .term = n->ticket.term,
                       .lease = grid.budget.lease,
                       .stop = grid.budget.stop,
                       .duration = grid.budget.duration,
                       .deadline = n->ticket.deadline};
    enum ticket_verdict v = keeper_judge_ticket(&t, "group", now());

    n->has_ticket = broken == BREAK_TICKET_TWICE;
    if (v != TICKET_GOOD && broken != BREAK_KEEPER_BELIEVES_TICKET) {
        coverage.covers[COVER_TICKET_REFUSED]++;
        return;
    }
    n->keeper = keeper_begin(&t);
    if (broken == BREAK_KEEPER_KILLS_LATE)
        n->keeper.stop += 2 * grid.tick;
    n->unit = UNIT_ACTIVE;
    n->keeper_alive = true;
    n->has_state = true;
    n->state = n->run = n->ticket;
    n->stop_begun = false;
    n->units_start = PENDING_NOW;
    n->watchdog_at = now() + keeper_watchdog_span(&n->keeper, now());
    checker_keeper(w, n);
}

static void run_job(struct world *w, struct node *n)
{
    n->look_wanted = n->alive;
    if (n->has_ticket)
        keeper_begins(w, n);
    else
        coverage.covers[COVER_TICKET_MISSING]++;
}

void machine_start(struct world *w, struct node *n, bool queued)
{
    n->start = PENDING_NO;
    n->start_answer = n->unit == UNIT_DEACTIVATING && !queued ? START_REFUSED : START_DONE;
    if (n->unit == UNIT_INACTIVE)
        run_job(w, n);
    n->start_queued = n->unit == UNIT_DEACTIVATING && queued;
}

void machine_units_start(struct world *w, struct node *n)
{
    n->units_start = PENDING_NO;
    if (n->unit != UNIT_ACTIVE || n->stop_queued || !n->has_state || n->running)
        return;
    coverage.covers[COVER_UNITS_STARTED]++;
    n->running = true;
    n->killed_at = 0;
    n->look_wanted = n->alive;
    checker_started(w, n);
}

/* ---- the end ---- */

void machine_deadline(struct node *n)
{
    keeper_check_deadline(&n->keeper, now());
    if (n->keeper.phase == KEEPER_ENDING)
        is_ending(n);
}

static bool fence_runs(const struct node *n)
{
    return n->unit == UNIT_DEACTIVATING && !n->keeper_alive;
}

bool machine_kill_due(const struct node *n)
{
    if (!n->running || n->killed_at > 0 || broken == BREAK_KEEPER_NEVER_KILLS)
        return false;
    if (n->outside) /* by PID 1 alone, when the stop timeout is over */
        return n->stop_begun && now() >= n->stopped_at + grid.budget.stop;
    if (fence_runs(n))
        return now() >= n->fence_kill_at;
    if (!n->keeper_alive || n->frozen)
        return false;
    return keeper_kill_due(&n->keeper, now());
}

void machine_kill(struct node *n)
{
    coverage.covers[n->outside      ? COVER_KILLED_BY_NAME
                    : fence_runs(n) ? COVER_KILLED_BY_FENCE
                                    : COVER_KILLED_BY_KEEPER]++;
    n->killed_at = now();
}

bool machine_is_down(const struct node *n)
{
    return !n->running || (broken == BREAK_MISSING_IS_EMPTY && n->outside);
}

/* SIGKILL has taken effect before that tick begins. */
bool machine_must_be_gone(const struct node *n)
{
    return n->running && n->killed_at > 0 && now() + grid.tick >= n->killed_at + grid.rest;
}

static void end_keeper(struct node *n)
{
    if (n->frozen || n->keeper.phase == KEEPER_ENDING)
        return;
    keeper_end(&n->keeper, KEEPER_END_SIGNAL, now());
    is_ending(n);
}

void machine_gone(struct node *n)
{
    coverage.covers[COVER_GONE_AT_THE_LAST_MOMENT] +=
        now() + grid.tick == n->run.deadline + grid.budget.stop + grid.rest;
    n->running = n->outside = false;
    n->killed_at = 0;
    n->look_wanted = n->alive;
    if (n->stop_queued && n->keeper_alive)
        end_keeper(n);
}

void machine_stop_keeper(struct node *n)
{
    n->start_queued = false;
    n->units_start = PENDING_NO;
    n->look_wanted = n->alive;
    if (n->unit != UNIT_ACTIVE)
        return;
    begin_stop(n);
    n->stop_queued = true;
    if (!n->running)
        end_keeper(n);
}

static void keeper_is_gone(struct node *n)
{
    n->keeper_alive = n->frozen = false;
    n->keeper = (struct keeper){0};
    memset(n->messages, 0, sizeof n->messages);
}

bool machine_may_exit(const struct node *n)
{
    return n->keeper_alive && !n->frozen && n->unit == UNIT_DEACTIVATING &&
           keeper_may_exit(&n->keeper,
                           &(struct keeper_look){.answered = true,
                                                 .up = !machine_is_down(n),
                                                 .populated = n->running && !n->outside,
                                                 .children = n->running && !n->outside,
                                                 .stops = STOPS_NONE},
                           false);
}

void machine_exit(struct node *n)
{
    keeper_is_gone(n);
    n->look_wanted = n->alive;
}

bool machine_watchdog_due(const struct node *n)
{
    return n->keeper_alive && n->frozen &&
           (n->keeper.phase == KEEPER_ENDING ? now() >= keeper_kill_time(&n->keeper)
                                             : now() >= n->watchdog_at);
}

void machine_keeper_killed(struct node *n)
{
    struct ticket state = {.stop = grid.budget.stop, .deadline = n->state.deadline};

    keeper_is_gone(n);
    n->unit = UNIT_DEACTIVATING;
    n->stop_queued = false;
    begin_stop(n);
    n->units_start = PENDING_NO;
    n->fence_kill_at = fence_kill_time(n->has_state ? &state : NULL, now());
    n->look_wanted = n->alive;
}

/* Nothing of the group is left. */
void machine_fence_done(struct world *w, struct node *n)
{
    n->has_state = n->bare = false;
    n->unit = UNIT_INACTIVE;
    n->fence_kill_at = 0;
    n->look_wanted = n->alive;
    if (n->start_queued)
        run_job(w, n);
    n->start_queued = false;
}

/* ---- the plug is pulled ---- */

static void rename_owner(char *owner, const char *from, const char *to)
{
    if (strcmp(owner, from) == 0)
        memcpy(owner, to, strlen(to) + 1);
}

/* The new boot has a new identifier: by the old name it is a stranger. */
static void rename_everywhere(struct world *w, const char *from, const char *to)
{
    rename_owner(w->row.owner, from, to);
    for (unsigned i = 0; i < grid.nodes; i++) {
        rename_owner(w->nodes[i].member.seen.record.owner, from, to);
        rename_owner(w->nodes[i].x.reply.record.owner, from, to);
    }
    for (unsigned i = 0; i < SEARCH_STRAYS_MAX; i++)
        rename_owner(w->strays[i].owner, from, to);
}

void machine_reboot(struct world *w, struct node *n)
{
    char former[OWNER_MAX + 1];
    struct witness v = n->witness;
    bool retired = n->retired;

    agent_crash(w, n);
    memcpy(former, n->owner, sizeof former);
    former[2] = '0';
    rename_everywhere(w, n->owner, former);
    memcpy(former, n->owner, sizeof former);
    *n = (struct node){.retired = retired, .name = n->name};
    memcpy(n->owner, former, sizeof former);
    n->witness.released_term = v.released_term;
    n->witness.ticketed_term = v.ticketed_term;
    member_init(&n->member, n->owner);
}
