/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notes.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon/journal.h"
#include "daemon/messages.h"

#define INSERT_MAX (NODE_NAME_MAX + 24)

static bool is_of_guards(enum member_reason reason)
{
    return reason == REASON_UNGUARDED || reason == REASON_OUTSIDE;
}

/* Not by the agent; and it neither failed nor was killed. A keeper that has removed its state ends
 * in an orderly way, also where PID 1 was asked a moment before. */
static bool stopped_by_hand(const struct group *g)
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);

    return g->member.reason == REASON_KEEPER_LOST && v &&
           (v->keeper_stopped || (v->state.keeper == KEEPER_ACTIVE && v->state.keeper_term == 0));
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

/* As an orderly end, as one for a reason that may pass, or as that of a host that should not be
 * trusted, or that is there twice. */
static int ending_priority(const struct group *g)
{
    enum member_reason reason = g->member.reason;

    if (reason == REASON_PAUSED || reason == REASON_COPY || is_of_guards(reason))
        return LOG_ALERT;
    return reason == REASON_STOPPED || stopped_by_hand(g) ? LOG_NOTICE : LOG_WARNING;
}

/* Of which unit's stop, or that this is not known. */
static const char *what_is_left(const struct group *g)
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);

    return v && v->stops == STOPS_LEFT ? v->left : "Not all of its stops are proven.";
}

/* What is inserted between the two halves of a text. */
enum insert { INSERT_NOTHING, INSERT_TERM, INSERT_NODE };

static const struct {
    const char *message_id;
    int priority; /* except of NOTE_ENDING: ending_priority() */
    const char *before;
    enum insert insert;
    const char *after;
} texts[] = {
    [NOTE_STARTING] = {MESSAGE_STARTING, LOG_INFO, "claimed, term ", INSERT_TERM,
                       "; starting its keeper"},
    [NOTE_LEADING] = {MESSAGE_LEADING, LOG_NOTICE, "this node leads, term ", INSERT_TERM, ""},
    [NOTE_ADOPTED] = {MESSAGE_ADOPTED, LOG_NOTICE, "this node leads on, term ", INSERT_TERM,
                      ": a live keeper of it was found and adopted"},
    [NOTE_ENDING] = {MESSAGE_ENDING, LOG_WARNING, "giving up term ", INSERT_TERM, ": "},
    [NOTE_DEAD] = {MESSAGE_DEAD, LOG_INFO, "all units are dead; giving term ", INSERT_TERM,
                   " back"},
    [NOTE_RELEASED] = {MESSAGE_RELEASED, LOG_NOTICE, "term ", INSERT_TERM, " is given back"},
    [NOTE_LEFT] = {MESSAGE_LEFT, LOG_WARNING,
                   "all units are dead, but it is not proven that nothing of term ", INSERT_TERM,
                   " is left here: it is not given back, its lease runs out"},
    [NOTE_LOST] = {MESSAGE_LOST, LOG_NOTICE, "all units are dead; term ", INSERT_TERM,
                   " is not this node's any more, so there is nothing to give back"},
    [NOTE_STRAY] = {MESSAGE_STRAY, LOG_ALERT,
                    "units or processes of it run here although this node does not lead it: "
                    "stopping them",
                    INSERT_NOTHING, ""},
    [NOTE_NAMESAKE] = {MESSAGE_NAMESAKE, LOG_ALERT,
                       "another running host is configured with the node name \"", INSERT_NODE,
                       "\" as well: give each host a name of its own"},
    [NOTE_COPY] = {MESSAGE_COPY, LOG_ALERT, "a copy of this host runs: somebody else renews term ",
                   INSERT_TERM, " under this very node's name and instance: shut one of both down"},
    [NOTE_STEP] = {MESSAGE_STEP, LOG_ALERT,
                   "the database's clock is ahead of what this host's own can explain by more than "
                   "a failover takes, and the lease is still ours: that clock was stepped, or this "
                   "host was paused and no other node was there to lead",
                   INSERT_NOTHING, ""},
};

static void insert(char ret[static INSERT_MAX], enum insert what, const struct journal_context *c)
{
    ret[0] = '\0';
    if (what == INSERT_TERM)
        (void)snprintf(ret, INSERT_MAX, "%" PRIu64, c->term);
    else if (what == INSERT_NODE)
        (void)snprintf(ret, INSERT_MAX, "%s", c->node);
}

void notes_write(struct group *g, enum member_note note, uint64_t term)
{
    struct journal_context c = {.node = g->daemon->config->node, .group = g->config->name};
    char reason[REASON_MAX] = "", inserted[INSERT_MAX];
    int priority;

    if (note == NOTE_NONE)
        return;
    c.message_id = texts[note].message_id;
    c.term = g->member.term.number > 0 ? g->member.term.number : term;
    priority = texts[note].priority;
    if (note == NOTE_ENDING) {
        g->stop_trouble[0] = '\0';
        reason_of(g, reason);
        c.reason = reason;
        priority = ending_priority(g);
    } else if (note == NOTE_LEFT)
        c.reason = what_is_left(g);
    insert(inserted, texts[note].insert, &c);
    journal_write(priority, &c, "%s: %s%s%s%s", c.group, texts[note].before, inserted,
                  texts[note].after, reason);
}
