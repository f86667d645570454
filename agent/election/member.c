/* SPDX-License-Identifier: Apache-2.0 */
#include "election/member.h"

#include <assert.h>
#include <string.h>

#include "election/end.h"
#include "election/healing.h"
#include "election/hold.h"
#include "election/intervals.h"
#include "election/moves.h"
#include "election/own_record.h"
#include "election/standby.h"

/* ---- what each state does about each event ---- */

typedef void handler(struct member *m, const struct member_event *event, struct update *update);

static void ignored(struct member *m, const struct member_event *event, struct update *update)
{
    (void)m;
    (void)event;
    (void)update;
}

/* The arbiter can be asked: what is to be asked is asked at once. */
static void ask_now(struct member *m, const struct member_event *event, struct update *update)
{
    (void)update;
    m->due = event->now;
}

/* What PID 1 says of the guards was asked before the heal. */
static void poll_host(struct member *m, const struct member_event *event, struct update *update)
{
    (void)m;
    (void)event;
    update->actions |= ACTION_POLL;
}

/* What is the same in all states is noted before, by note(). What a state ignores, it ignores for
 * the reason that is given above the event. */
/* clang-format off */
static handler *const matrix[MEMBER_EVENTS][MEMBER_STATES] = {
    /*                    STANDBY         CONFIRMING     STARTING      LEADING     ADOPTING    ENDING      RELEASING */

    /* Confirming and releasing: nothing runs, so there is no deadline to keep and nothing to heal. */
    [EVENT_CLOCK]     = { heal_if_due,    ignored,       start_clock,  lead_clock, lead_clock, end_clock,  ignored },

    /* Starting and ending: they wait for PID 1, and need nothing of the arbiter. */
    [EVENT_SEND]      = { standby_ask,    verify_ask,    ignored,      lead_ask,   lead_ask,   ignored,    release_ask },
    [EVENT_REPLY]     = { standby_reply,  verify_reply,  late_reply,   lead_reply, lead_reply, late_reply, release_reply },
    [EVENT_CONNECTED] = { ask_now,        ask_now,       ignored,      ask_now,    ask_now,    ignored,    ask_now },

    /* All but a standby: the record is their own, and what happens to it is learned from replies. */
    [EVENT_HINT]      = { standby_hint,   ignored,       ignored,      ignored,    ignored,    ignored,    ignored },

    /* Confirming and releasing: it is the arbiter's reply that decides, not this host. */
    [EVENT_HOST]      = { standby_host,   ignored,       start_host,   lead_host,  lead_host,  end_host,   ignored },

    /* All but starting: the answer is to a start that the end of its term, or the keeper, overtook. */
    [EVENT_STARTED]   = { ignored,        ignored,       start_answer, ignored,    ignored,    ignored,    ignored },
    [EVENT_HEALED]    = { poll_host,      poll_host,     poll_host,    poll_host,  poll_host,  poll_host,  poll_host },

    /* Ending and releasing: the term is over already. */
    [EVENT_STOP]      = { standby_stop,   hold_stop,     hold_stop,    hold_stop,  hold_stop,  ignored,    ignored },

    /* Confirming to adopting: they were not stopped, for that would have ended them. */
    [EVENT_RESUME]    = { standby_resume, ignored,       ignored,      ignored,    ignored,    end_resume, end_resume },
};
/* clang-format on */

/* An event of no known type is ignored, too. */
static handler *handler_of(enum member_state state, enum member_event_type event)
{
    return (unsigned)event < MEMBER_EVENTS ? matrix[event][state] : ignored;
}

bool member_ignores(enum member_state state, enum member_event_type event)
{
    return handler_of(state, event) == ignored;
}

/* ---- what is the same in all states ---- */

static void note_reply(struct member *m, const struct member_event *event)
{
    const struct reply *reply = event->reply;

    /* In a pause that long another node leads: it waits for the record's lease, the keeper's or a
     * longer one. */
    usec_t lease = usec_max(m->term.cover.lease, reply->has_record ? reply->record.lease : 0);

    m->in_flight = false;
    m->pause_verdict = pause_judge(&m->pause, reply, m->sent_at, event->now, lease);
    if (reply->has_record && reply->record.term > m->highest_term)
        m->highest_term = reply->record.term;
}

/* A new connection: what was observed or watched counts on, because replies say which life of the
 * server they come from, and so does a claim; a nonce that is the same has not changed in between.
 * What was announced in between is not known, and what was announced before may be long past. */
static void note_connection(struct member *m)
{
    m->has_notice = false;
    m->namesake_changes = 0;
}

static void note_host(struct member *m, const struct member_event *event)
{
    m->host = *event->host;
    heal_poll(&m->heal, &m->host.guards, event->now);
}

static void note(struct member *m, const struct member_event *event)
{
    switch (event->type) {
    case EVENT_SEND:
        if (!event->fit)
            watch_interrupt(&m->watch);
        return;
    case EVENT_REPLY:
        note_reply(m, event);
        return;
    case EVENT_CONNECTED:
        note_connection(m);
        return;
    case EVENT_HINT:
        m->hinted = m->in_flight; /* the record may have been read before it changed */
        return;
    case EVENT_HOST:
        note_host(m, event);
        return;
    case EVENT_HEALED:
        heal_over(&m->heal, event->asked_at, event->answered, event->now);
        return;
    case EVENT_STOP:
        m->stopping = true;
        m->has_notice = false; /* after a resume, the record is read before it is claimed */
        return;
    case EVENT_RESUME:
        m->budget = *event->budget;
        return;
    case EVENT_CLOCK:
    case EVENT_STARTED:
        return;
    }
}

static void note_request(struct member *m, const struct member_event *event,
                         const struct update *update)
{
    if (update->actions & ACTION_REQUEST) {
        m->in_flight = true;
        m->operation = update->request.operation;
        m->sent_at = event->now;
        m->sent_fit = event->fit;
        m->sent_nonce = update->request.fresh_nonce;
    } else /* nothing to ask now: not in every tick from here on */
        m->due = usec_add(event->now, member_limit(m) / RETRY_PART);
}

void member_step(struct member *m, const struct member_event *event, struct update *update)
{
    assert(m);
    assert(event);
    assert(update);
    assert(member_event_fits(m, event));

    *update = (struct update){.note = NOTE_NONE};
    note(m, event);
    handler_of(m->state, event->type)(m, event, update);
    if (event->type == EVENT_SEND)
        note_request(m, event, update);
}

/* ---- the beginning, and what may come ---- */

void member_init(struct member *m, const char *owner)
{
    assert(m);
    assert(owner);
    assert(strlen(owner) <= OWNER_MAX);

    *m = (struct member){.state = MEMBER_STANDBY, .stopping = true, .due = USEC_INFINITY};
    watch_forget(&m->watch);
    memcpy(m->owner, owner, strlen(owner) + 1);
}

static bool budget_fits(const struct budget *b)
{
    return b->lease <= BUDGET_LEASE_MAX_USEC && b->duration >= BUDGET_RENEW_MIN_USEC &&
           b->duration < b->lease;
}

bool member_event_fits(const struct member *m, const struct member_event *event)
{
    assert(m);
    assert(event);

    usec_t now = event->now;

    if (now > MEMBER_TIME_MAX || now < m->since || now < m->seen.at || now < m->sent_at)
        return false;
    switch (event->type) {
    case EVENT_SEND:
        return !m->in_flight;
    case EVENT_REPLY:
        return m->in_flight && event->reply;
    case EVENT_HOST:
        return event->host && event->host->asked_at > 0 && event->host->asked_at <= now &&
               event->host->guards.asked_at <= now && event->host->keeper_term <= INT64_MAX;
    case EVENT_HEALED:
        return event->asked_at <= now;
    case EVENT_RESUME:
        return event->budget && budget_fits(event->budget);
    case EVENT_CLOCK:
    case EVENT_CONNECTED:
    case EVENT_HINT:
    case EVENT_STARTED:
    case EVENT_STOP:
        return true;
    }
    return true;
}

/* ---- when ---- */

usec_t member_due(const struct member *m)
{
    if (m->in_flight || (m->state == MEMBER_STANDBY && m->stopping) ||
        m->state == MEMBER_STARTING || m->state == MEMBER_ENDING)
        return USEC_INFINITY;
    return m->due;
}

static usec_t wake_of_state(const struct member *m)
{
    switch (m->state) {
    case MEMBER_STARTING:
        return usec_min(m->term.deadline, m->poll_at);
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        return m->term.deadline;
    case MEMBER_ENDING:
        return usec_add(m->end_sent_at, END_AGAIN_USEC);
    case MEMBER_STANDBY:
    case MEMBER_CONFIRMING:
    case MEMBER_RELEASING:
        return USEC_INFINITY;
    }
    return USEC_INFINITY;
}

usec_t member_wake(const struct member *m)
{
    return usec_min(wake_of_state(m), next_heal(m));
}

/* ---- what it is ---- */

bool member_settled(const struct member *m)
{
    return m->stopping && m->state == MEMBER_STANDBY && !m->in_flight && m->host.asked_at > 0 &&
           host_all_dead(&m->host);
}

bool member_copied(const struct member *m)
{
    return m->state == MEMBER_STANDBY && names_us(m, &m->seen.record) &&
           watch_is_copy(&m->watch, m->seen.record.term);
}

bool member_leads(const struct member *m)
{
    return m->state == MEMBER_LEADING || m->state == MEMBER_ADOPTING;
}

const char *member_state_name(enum member_state s)
{
    switch (s) {
    case MEMBER_STANDBY:
        return "standby";
    case MEMBER_CONFIRMING:
        return "confirming";
    case MEMBER_STARTING:
        return "starting";
    case MEMBER_LEADING:
        return "leading";
    case MEMBER_ADOPTING:
        return "adopting";
    case MEMBER_ENDING:
        return "ending";
    case MEMBER_RELEASING:
        return "releasing";
    }
    return "?";
}

const char *member_reason_text(enum member_reason r)
{
    switch (r) {
    case REASON_NONE:
        return "";
    case REASON_STOPPED:
        return "this node was asked to step down";
    case REASON_DENIED:
        return "the arbiter says that the term is no longer this node's";
    case REASON_DEADLINE:
        return "no renewal was acknowledged before the deadline";
    case REASON_KEEPER_LOST:
        return "the keeper ended by itself or was killed";
    case REASON_START_FAILED:
        return "the keeper could not be started";
    case REASON_LATE:
        return "the claim was granted too late to start the units before its deadline";
    case REASON_HOST_NOT_READY:
        return "this host was no longer ready when the claim was granted";
    case REASON_ORPHAN:
        return "the record names this node, but no keeper lives here";
    case REASON_PAUSED:
        return "this host seems to have been paused together with its own clock, or the "
               "database's clock was set forward: that went ahead of this host's";
    case REASON_UNGUARDED:
        return "the guards of a unit are not in effect on this host, and systemd could not be "
               "brought to read them again";
    case REASON_OUTSIDE:
        return "a unit runs outside the group's slice, where its keeper cannot end it";
    case REASON_FOREIGN_KEEPER:
        return "a keeper was found whose term this node cannot renew";
    case REASON_COPY:
        return "somebody else renews the lease in this very node's name: there is a copy of this "
               "host";
    }
    return "?";
}
