/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notes.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon/journal.h"
#include "daemon/messages.h"

static bool is_of_guards(enum member_reason reason)
{
    return reason == REASON_UNGUARDED || reason == REASON_OUTSIDE;
}

/* Not by the agent; and not that it failed or was killed. One that has removed its state ends in an
 * orderly way, also where PID 1 was asked a moment before. */
static bool stopped_by_hand(const struct group *g)
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);

    return g->member.reason == REASON_KEEPER_LOST && v &&
           (v->keeper_stopped || (v->keeper == KEEPER_ACTIVE && !v->has_state));
}

static void reason_of(const struct group *g, char ret[static REASON_MAX])
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);
    enum member_reason reason = g->member.reason;

    if (stopped_by_hand(g))
        (void)snprintf(ret, REASON_MAX, "its keeper was stopped, by systemctl stop or a shutdown");
    else if (reason == REASON_START_FAILED && g->trouble[0])
        (void)snprintf(ret, REASON_MAX, "%s", g->trouble);
    else if (is_of_guards(reason) && v)
        (void)snprintf(ret, REASON_MAX, "%s: %s", member_reason_text(reason), v->problem);
    else
        (void)snprintf(ret, REASON_MAX, "%s", member_reason_text(reason));
}

/* Told to, as it goes, or a host that nobody should trust, or that is there twice. */
static int ending_priority(const struct group *g)
{
    enum member_reason reason = g->member.reason;

    if (reason == REASON_PAUSED || reason == REASON_COPY || is_of_guards(reason))
        return LOG_ALERT;
    return reason == REASON_STOPPED || stopped_by_hand(g) ? LOG_NOTICE : LOG_WARNING;
}

/* Of which unit's stop. */
static const char *what_is_left(const struct group *g)
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);

    return v && v->stops == STOPS_LEFT ? v->left : "Not all of its stops are proven.";
}

/* term: before the step, in which a finished one is forgotten. */
void notes_write(struct group *g, enum member_note note, uint64_t term)
{
    struct journal_context c = {.node = g->daemon->config->node, .group = g->config->name};
    char reason[REASON_MAX];

    c.term = g->member.term > 0 ? g->member.term : term;
    switch (note) {
    case NOTE_NONE:
        return;
    case NOTE_STARTING:
        c.message_id = MESSAGE_STARTING;
        journal_write(LOG_INFO, &c, "%s: claimed, term %" PRIu64 "; starting its keeper", c.group,
                      c.term);
        return;
    case NOTE_LEADING:
        c.message_id = MESSAGE_LEADING;
        journal_write(LOG_NOTICE, &c, "%s: this node leads, term %" PRIu64, c.group, c.term);
        return;
    case NOTE_ADOPTED:
        c.message_id = MESSAGE_ADOPTED;
        journal_write(LOG_NOTICE, &c,
                      "%s: this node leads on, term %" PRIu64
                      ": a live keeper of it was found and adopted",
                      c.group, c.term);
        return;
    case NOTE_ENDING:
        g->stop_trouble[0] = '\0';
        c.message_id = MESSAGE_ENDING;
        reason_of(g, reason);
        c.reason = reason;
        journal_write(ending_priority(g), &c, "%s: giving up term %" PRIu64 ": %s", c.group, c.term,
                      c.reason);
        return;
    case NOTE_DEAD:
        c.message_id = MESSAGE_DEAD;
        journal_write(LOG_INFO, &c, "%s: all units are dead; giving term %" PRIu64 " back", c.group,
                      c.term);
        return;
    case NOTE_RELEASED:
        c.message_id = MESSAGE_RELEASED;
        journal_write(LOG_NOTICE, &c, "%s: term %" PRIu64 " is given back", c.group, c.term);
        return;
    case NOTE_LEFT:
        c.message_id = MESSAGE_LEFT;
        c.reason = what_is_left(g);
        journal_write(LOG_WARNING, &c,
                      "%s: all units are dead, but it is not proven that nothing of term %" PRIu64
                      " is left here: it is not given back, its lease runs out",
                      c.group, c.term);
        return;
    case NOTE_LOST:
        c.message_id = MESSAGE_LOST;
        journal_write(LOG_NOTICE, &c,
                      "%s: all units are dead; term %" PRIu64
                      " is not this node's any more, so there is nothing to give back",
                      c.group, c.term);
        return;
    case NOTE_STRAY:
        c.message_id = MESSAGE_STRAY;
        journal_write(LOG_ALERT, &c,
                      "%s: units or processes of it run here although this node does not lead it: "
                      "stopping them",
                      c.group);
        return;
    case NOTE_NAMESAKE:
        c.message_id = MESSAGE_NAMESAKE;
        journal_write(LOG_ALERT, &c,
                      "%s: another running host is configured with the node name \"%s\" as well: "
                      "give each host a name of its own",
                      c.group, c.node);
        return;
    case NOTE_COPY:
        c.message_id = MESSAGE_COPY;
        journal_write(LOG_ALERT, &c,
                      "%s: a copy of this host runs: somebody else renews term %" PRIu64
                      " under this very node's name and instance: shut one of both down",
                      c.group, c.term);
        return;
    case NOTE_STEP:
        c.message_id = MESSAGE_STEP;
        journal_write(LOG_ALERT, &c,
                      "%s: the database's clock is ahead of what this host's own can explain by "
                      "more than a takeover takes, and the lease is still ours: that clock was "
                      "stepped, or this host stood still and nobody was there to take over",
                      c.group);
        return;
    }
}
