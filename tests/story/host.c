/* SPDX-License-Identifier: Apache-2.0 */
/* A host: PID 1, the keeper with its deadline, and the units, which live and die with it. */
#include <errno.h>

#include "story.h"

#define LOOK_USEC (1 * USEC_PER_MSEC)
#define JOB_USEC (2 * USEC_PER_MSEC)
#define START_USEC (30 * USEC_PER_MSEC)
#define STOP_USEC (120 * USEC_PER_MSEC)
#define HEAL_USEC (200 * USEC_PER_MSEC)

/* PID 1's answer a moment later says what was so when it was asked, or since. */
void host_poll(struct node *n, usec_t at)
{
    n->look_asked_at = at + 1;
    n->look_at = at + LOOK_USEC;
}

void host_local(const struct node *n, struct host_state *ret)
{
    static const enum keeper_presence shown[] = {
        [KEEPER_NONE] = KEEPER_GONE,
        [KEEPER_BEGINS] = KEEPER_BUSY,
        [KEEPER_RUNS] = KEEPER_ACTIVE,
        [KEEPER_ENDS] = KEEPER_BUSY,
    };
    bool dead = n->keeper == KEEPER_NONE || !n->started_units;

    *ret = n->keeper == KEEPER_RUNS ? n->ticket : (struct host_state){0};
    ret->asked_at = n->look_asked_at;
    ret->keeper = shown[n->keeper];
    ret->units_dead = ret->slice_empty = dead;
    ret->guarded = n->guards != GUARDS_BARE;
    ret->guards = (struct guards_seen){.state = n->guards, .asked_at = n->look_asked_at};
}

static const char *keeper_name(const struct node *n)
{
    static const char *const names[] = {"n1 keeper", "n2 keeper", "n3 keeper"};

    return names[n->number];
}

static void end_keeper(struct node *n, usec_t now)
{
    n->keeper = KEEPER_ENDS;
    n->keeper_at = now + STOP_USEC;
}

void host_kill_keeper(struct story *s, struct node *n)
{
    tell(s, n->name, "The keeper is killed. PID 1 stops the units, which are bound to it.");
    end_keeper(n, s->now);
}

static void begin_keeper(struct story *s, struct node *n)
{
    const struct member *m = &n->m;

    n->started_at = s->now + JOB_USEC;
    n->start_error = n->refuse_start ? -ENOENT : 0;
    n->started_units = false;
    if (n->refuse_start)
        return;
    n->ticket = (struct host_state){.keeper_term = m->term.number,
                                    .keeper_ours = true,
                                    .keeper_lease = m->term.cover.lease,
                                    .keeper_stop = m->term.stop,
                                    .keeper_duration = m->term.cover.duration,
                                    .keeper_deadline = m->term.deadline};
    n->keeper = KEEPER_BEGINS;
    n->keeper_at = s->now + START_USEC;
}

void host_act(struct story *s, struct node *n, unsigned actions)
{
    bool lives = n->keeper == KEEPER_BEGINS || n->keeper == KEEPER_RUNS;

    if ((actions & (ACTION_END | ACTION_STOP_KEEPER)) && lives) {
        tell(s, keeper_name(n), "%s",
             n->started_units ? "Removes its state and says so. PID 1 stops the units."
                              : "Ends before it has started any unit.");
        end_keeper(n, s->now);
    }
    if (actions & ACTION_TICKET)
        begin_keeper(s, n);
    if ((actions & ACTION_EXTEND) && n->keeper == KEEPER_RUNS &&
        s->now < n->ticket.keeper_deadline) {
        n->ticket.keeper_deadline = n->m.term.deadline;
        n->ticket.keeper_lease = n->m.term.cover.lease;
        n->ticket.keeper_duration = n->m.term.cover.duration;
    }
    if (actions & ACTION_HEAL) {
        n->heal_asked_at = s->now;
        n->healed_at = s->now + HEAL_USEC;
    }
    if (actions & ACTION_POLL)
        host_poll(n, s->now);
}

/* When the keeper's state next changes by itself. */
usec_t host_next(const struct node *n)
{
    switch (n->keeper) {
    case KEEPER_BEGINS:
    case KEEPER_ENDS:
        return n->keeper_at;
    case KEEPER_RUNS:
        return n->ticket.keeper_deadline;
    case KEEPER_NONE:
        break;
    }
    return USEC_INFINITY;
}

static void turn_keeper(struct story *s, struct node *n)
{
    if (n->keeper == KEEPER_BEGINS) {
        n->keeper = KEEPER_RUNS;
        n->started_units = true;
        tell(s, keeper_name(n), "Is active, with a deadline at %s. PID 1 starts the units.",
             time_text(s, n->ticket.keeper_deadline));
    } else if (n->keeper == KEEPER_RUNS) {
        tell(s, keeper_name(n), "The deadline has passed. PID 1 stops the units.");
        end_keeper(n, s->now);
    } else {
        n->keeper = KEEPER_NONE;
        tell(s, keeper_name(n), "%s", n->started_units ? "All units are dead. Exits." : "Exits.");
    }
    host_poll(n, s->now); /* PID 1 signals each change */
}

bool host_turn(struct story *s, struct node *n)
{
    if (host_next(n) > s->now)
        return false;
    turn_keeper(s, n);
    return true;
}

void host_healed(struct story *s, struct node *n)
{
    n->healed_at = USEC_INFINITY;
    n->guards = n->heal_helps ? GUARDS_WHOLE : n->guards;
    tell(s, n->name, "PID 1 has read the guards again: %s.",
         n->heal_helps ? "both copies are in effect" : "the unit is still not guarded");
}
