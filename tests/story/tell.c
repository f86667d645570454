/* SPDX-License-Identifier: Apache-2.0 */
/* The words: which steps of an election are worth a line, and what it says. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "story.h"

#define TEXTS 4u
#define TEXT_MAX 48u

static char *next_text(void)
{
    static char texts[TEXTS][TEXT_MAX];
    static unsigned n;

    return texts[n++ % TEXTS];
}

const char *term_text(uint64_t term)
{
    char *text = next_text();

    (void)snprintf(text, TEXT_MAX, "%" PRIu64 "/%" PRIu64, term >> TERM_TIMELINE_SHIFT,
                   term & UINT32_MAX);
    return text;
}

const char *span_text(usec_t span)
{
    char *text = next_text();

    (void)snprintf(text, TEXT_MAX, "%" PRIu64 ".%03" PRIu64, span / USEC_PER_SEC,
                   span % USEC_PER_SEC / USEC_PER_MSEC);
    return text;
}

const char *time_text(const struct story *s, usec_t t)
{
    return span_text(usec_sub(t, s->began));
}

static void line(struct story *s, const char *who, const char *text)
{
    if (s->out)
        (void)fprintf(s->out, "%8s  %-9s  %s\n", time_text(s, s->now), who, text);
}

/* Renewals are many, and all alike: they are counted until something else happens. */
static void tell_renewals(struct story *s)
{
    char text[128];

    for (unsigned i = 0; i < s->n_nodes; i++) {
        struct node *n = &s->nodes[i];

        if (n->renewals == 0)
            continue;
        (void)snprintf(text, sizeof text, "Has renewed %u time%s; the deadline is %s now.",
                       n->renewals, n->renewals == 1 ? "" : "s", time_text(s, n->m.term.deadline));
        n->renewals = 0;
        line(s, n->name, text);
    }
}

void tell(struct story *s, const char *who, const char *format, ...)
{
    char text[512];
    va_list arguments;

    tell_renewals(s);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    line(s, who, text);
}

/* ---- what an agent reads ---- */

static void tell_record(struct story *s, const struct node *n, const struct record *r)
{
    const char *owner = r->owner;
    int length = (int)strcspn(owner, "/");

    if (!owner[0])
        tell(s, n->name, "Reads the record: nobody has led yet. Watches it for %s s.",
             span_text(r->lease));
    else if (r->claimable)
        tell(s, n->name, "Reads the record: term %s was released. Anybody may claim it.",
             term_text(r->term));
    else if (r->clean)
        tell(s, n->name,
             "Reads the record: term %s was released, but on another timeline. Watches it for "
             "%s s.",
             term_text(r->term), span_text(r->lease));
    else if (strcmp(owner, n->m.owner) == 0)
        tell(s, n->name, "Reads the record: it names this node, with term %s.", term_text(r->term));
    else
        tell(s, n->name, "Reads the record: %.*s leads, term %s.", length, owner,
             term_text(r->term));
}

/* Only what is new, and nonces are not: a leader renews all the time. */
static void tell_read(struct story *s, struct node *n, const struct reply *reply)
{
    const struct record *r = &reply->record;
    bool same = n->has_read && n->read.term == r->term && n->read.clean == r->clean &&
                n->read.claimable == r->claimable && strcmp(n->read.owner, r->owner) == 0;

    if (n->has_read && n->read_timeline != reply->epoch.timeline)
        tell(s, n->name, "The database is on timeline %" PRIu64 " now.", reply->epoch.timeline);
    if (!same || n->read_timeline != reply->epoch.timeline)
        tell_record(s, n, r);
    n->has_read = true;
    n->read = *r;
    n->read_timeline = reply->epoch.timeline;
}

/* ---- why a term ends ---- */

static const char *why(enum member_reason reason)
{
    switch (reason) {
    case REASON_STOPPED:
        return "it was asked to step down";
    case REASON_DENIED:
        return "the record is not this node's any more";
    case REASON_DEADLINE:
        return "no renewal was granted before the deadline";
    case REASON_KEEPER_LOST:
        return "the keeper has ended";
    case REASON_START_FAILED:
        return "the keeper could not be started";
    case REASON_LATE:
        return "the claim was granted too late";
    case REASON_HOST_NOT_READY:
        return "this host is no longer ready";
    case REASON_ORPHAN:
        return "the record names this node, but no keeper lives here";
    case REASON_PAUSED:
        return "this host may have been paused";
    case REASON_UNGUARDED:
        return "a unit is not guarded, and two heals have not helped";
    case REASON_OUTSIDE:
        return "a unit runs outside the group's slice";
    case REASON_FOREIGN_KEEPER:
        return "a keeper lives here whose term this node cannot renew";
    case REASON_COPY:
        return "somebody else renews in this node's very name";
    case REASON_NONE:
        break;
    }
    return "";
}

/* ---- what an agent does ---- */

static void tell_note(struct story *s, const struct node *n, enum member_state before,
                      enum member_note note)
{
    const struct member *m = &n->m;

    switch (note) {
    case NOTE_STARTING:
        tell(s, n->name,
             "Term %s is this node's. Writes the ticket, and asks PID 1 for the keeper.",
             term_text(m->term.number));
        return;
    case NOTE_LEADING:
        tell(s, n->name, "Leads term %s.", term_text(m->term.number));
        return;
    case NOTE_ADOPTED:
        tell(s, n->name, "The renewal is granted: leads on, with a deadline at %s.",
             time_text(s, m->term.deadline));
        return;
    case NOTE_ENDING:
        tell(s, n->name, "Ends term %s: %s.", term_text(m->term.number), why(m->reason));
        return;
    case NOTE_DEAD:
        tell(s, n->name, "PID 1 confirms that all is dead.");
        return;
    case NOTE_RELEASED:
        tell(s, n->name, "The record is released. Lets other nodes claim first.");
        return;
    case NOTE_LOST:
        tell(s, n->name, "%s: there is nothing to release.",
             before == MEMBER_RELEASING ? "The release is denied"
                                        : "PID 1 confirms that all is dead");
        return;
    case NOTE_LEFT:
        tell(s, n->name, "All is dead, but something may be left: the lease has to expire.");
        return;
    case NOTE_STRAY:
        tell(s, n->name, "Units run here without leadership.");
        return;
    case NOTE_NAMESAKE:
        tell(s, n->name, "Another host uses the name of this node.");
        return;
    case NOTE_COPY:
        tell(s, n->name, "A copy of this host renews in this node's name.");
        return;
    case NOTE_STEP:
        tell(s, n->name, "The database's clock went ahead.");
        return;
    case NOTE_NONE:
        return;
    }
}

static void tell_claim(struct story *s, const struct node *n, const struct request *q)
{
    const struct member *m = &n->m;

    if (m->sent_notice)
        tell(s, n->name, "Claims at once, because the notice says that term %s was released.",
             term_text(q->expected_term));
    else if (q->rests_on_clean)
        tell(s, n->name, "Claims, because term %s was released.", term_text(q->expected_term));
    else
        tell(s, n->name, "Claims, because it has seen the record unchanged for %s s.",
             span_text(s->now - m->seen.since));
}

static void tell_request(struct story *s, const struct node *n, const struct request *q,
                         enum member_state state)
{
    switch (q->operation) {
    case OPERATION_CLAIM:
        tell_claim(s, n, q);
        return;
    case OPERATION_RELEASE:
        tell(s, n->name, "Asks to release term %s.", term_text(q->term));
        return;
    case OPERATION_RENEW:
        if (state == MEMBER_CONFIRMING || state == MEMBER_ADOPTING)
            tell(s, n->name, "Asks to renew term %s, to prove that it is this node's.",
                 term_text(q->term));
        return;
    case OPERATION_OBSERVE:
    case OPERATION_CONFIRM_DEAD: /* no member asks for it */
        return;
    }
}

/* ---- what an agent hears ---- */

static void tell_unknown(struct story *s, const struct node *n, enum operation o)
{
    switch (o) {
    case OPERATION_CLAIM:
        tell(s, n->name, "Gets no answer to its claim: granted or not, it cannot know.");
        return;
    case OPERATION_RENEW:
        tell(s, n->name, "Gets no answer to its renewal. The deadline stays at %s.",
             time_text(s, n->m.term.deadline));
        return;
    case OPERATION_RELEASE:
        tell(s, n->name, "Gets no answer to its release.");
        return;
    case OPERATION_OBSERVE:
        tell(s, n->name, "Gets no answer.");
        return;
    case OPERATION_CONFIRM_DEAD:
        return;
    }
}

/* Only when another lease begins to count. */
static void tell_lease(struct story *s, struct node *n, const struct record *r)
{
    const struct member *m = &n->m;
    usec_t configured = m->budget.lease, sent = m->term.cover.lease;

    bool first = n->sent_lease == 0;

    if (!first && r->lease == configured && n->read.lease != configured)
        tell(s, n->name, "The record has a lease of %s s now.", span_text(r->lease));
    if (!first && sent == configured && n->sent_lease != configured)
        tell(s, n->name, "Tells the keeper: a lease of %s s, and a deadline at %s.",
             span_text(sent), time_text(s, m->term.deadline));
    n->read.lease = r->lease;
    n->sent_lease = sent;
}

static void tell_reply(struct story *s, struct node *n, const struct reply *reply,
                       enum member_state before)
{
    const struct member *m = &n->m;

    if (reply->outcome == OUTCOME_UNKNOWN) {
        tell_unknown(s, n, m->operation);
        return;
    }
    if (m->operation == OPERATION_OBSERVE ||
        (m->operation == OPERATION_CLAIM && reply->outcome == OUTCOME_DENIED)) {
        if (m->operation == OPERATION_CLAIM)
            tell(s, n->name, "The claim is denied.");
        tell_read(s, n, reply);
    } else if (m->operation == OPERATION_RENEW && reply->outcome == OUTCOME_DENIED)
        tell(s, n->name, "The renewal is denied.");
    else if (m->operation == OPERATION_RENEW && before == MEMBER_LEADING) {
        n->renewals++;
        tell_lease(s, n, &reply->record);
    } else if (m->operation == OPERATION_RENEW && before != MEMBER_ADOPTING &&
               before != MEMBER_CONFIRMING)
        tell(s, n->name, "The renewal is granted, too late. Keeps its nonce for the release.");
}

static void tell_moved(struct story *s, const struct node *n, enum member_state before)
{
    const struct member *m = &n->m;

    if (m->state == before)
        return;
    if (m->state == MEMBER_ADOPTING)
        tell(s, n->name, "Finds a live keeper of its own, with term %s and a deadline at %s.",
             term_text(m->term.number), time_text(s, m->term.deadline));
    else if (m->state == MEMBER_CONFIRMING)
        tell(s, n->name, "The record has the nonce of its claim: the claim was granted after all.");
}

void tell_step(struct story *s, struct node *n, const struct member_event *e,
               enum member_state before, const struct update *u)
{
    if (e->type == EVENT_REPLY)
        tell_reply(s, n, e->reply, before);
    else if (e->type == EVENT_HINT && n->m.has_notice && e->notice->term != n->m.over_term)
        tell(s, n->name, "Hears the release notice of term %s.", term_text(e->notice->term));
    tell_moved(s, n, before);
    tell_note(s, n, before, u->note);
    if (u->actions & ACTION_REQUEST)
        tell_request(s, n, &u->request, before);
    if (u->actions & ACTION_HEAL)
        tell(s, n->name, "Has PID 1 read the guards again.");
}
