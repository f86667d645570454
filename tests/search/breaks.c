/* SPDX-License-Identifier: Apache-2.0 */
/* Deliberate breaks, made around the shipped code as those of the simulation are, and by the same
 * names. README.md says of each one of the simulation's that is not here why it is not. */
#include <string.h>

#include "search.h"

enum search_break broken;

static const struct {
    const char *name;
    enum violation found_by;
    unsigned deviations, orders; /* as few as it takes */
    bool quick;                  /* found among few states */
} breaks[BREAKS] = {
    [BREAK_NONE] = {"none", VIOLATION_NONE, 0, 0, false},
    [BREAK_DEADLINE_FROM_REPLY] = {"deadline-from-reply", VIOLATION_DEADLINE, 1, 0, true},
    [BREAK_UNKNOWN_RENEWAL_BELIEVED] = {"unknown-renewal-believed", VIOLATION_DEADLINE, 1, 0, true},
    [BREAK_UNKNOWN_CLAIM_BELIEVED] = {"unknown-claim-believed", VIOLATION_DEADLINE, 1, 0, true},
    [BREAK_OBSERVATION_KEPT] = {"observation-kept", VIOLATION_TWO_LEADERS, 1, 0, true},
    [BREAK_OBSERVATION_HALVED] = {"observation-halved", VIOLATION_TWO_LEADERS, 1, 0, false},
    [BREAK_RECONNECT_IGNORED] = {"reconnect-ignored", VIOLATION_CLAIM, 1, 1, false},
    [BREAK_RESTART_IGNORED] = {"restart-ignored", VIOLATION_CLAIM, 1, 0, true},
    [BREAK_CLAIM_OF_ANOTHER_LIFE] = {"claim-of-another-life", VIOLATION_CLAIM, 1, 0, true},
    [BREAK_PROOF_FROM_BEFORE] = {"proof-from-before", VIOLATION_RELEASE, 1, 1, false},
    [BREAK_PROOF_INVENTED] = {"proof-invented", VIOLATION_TWO_LEADERS, 1, 0, false},
    [BREAK_TICKET_LEFT] = {"ticket-left", VIOLATION_RELEASE, 1, 0, true},
    [BREAK_ADOPTED_BY_READING] = {"adopted-by-reading", VIOLATION_DEADLINE, 1, 0, true},
    [BREAK_TERM_TWICE] = {"term-twice", VIOLATION_SECOND_TICKET, 1, 0, true},
    [BREAK_KEEPER_ADDS_GRACE] = {"keeper-adds-grace", VIOLATION_STOP, 1, 0, true},
    [BREAK_KEEPER_BELIEVES_TICKET] = {"keeper-believes-ticket", VIOLATION_STOP, 1, 0, true},
    [BREAK_KEEPER_KILLS_LATE] = {"keeper-kills-late", VIOLATION_ALIVE, 1, 0, true},
    [BREAK_KEEPER_NEVER_KILLS] = {"keeper-never-kills", VIOLATION_TWO_LEADERS, 1, 0, false},
    [BREAK_CLAIM_IGNORES_NONCE] = {"claim-ignores-nonce", VIOLATION_CLAIM, 1, 0, false},
    [BREAK_CLEAN_UNTESTED] = {"clean-untested", VIOLATION_CLAIM, 1, 0, true},
    [BREAK_NOTICE_OBSERVED] = {"notice-observed", VIOLATION_CLAIM, 1, 0, true},
    [BREAK_RENEWS_ANYBODYS] = {"renews-anybodys", VIOLATION_TWO_LEADERS, 1, 0, false},
    [BREAK_NONCE_COUNTS] = {"nonce-counts", VIOLATION_CLAIM, 1, 0, false},
    [BREAK_STALE_REPLY_BELIEVED] = {"stale-reply-believed", VIOLATION_DEADLINE, 1, 0, true},
    [BREAK_RELEASE_IGNORES_TERM] = {"release-ignores-term", VIOLATION_RELEASE, 1, 0, false},
    [BREAK_RELEASE_IGNORES_NONCE] = {"release-ignores-nonce", VIOLATION_RELEASE, 1, 0, false},
    [BREAK_TICKET_TWICE] = {"ticket-twice", VIOLATION_TERM_REUSED, 1, 1, false},
    [BREAK_KEEPER_BELIEVES_LATE] = {"keeper-believes-late", VIOLATION_STOP, 1, 0, true},
    [BREAK_RELEASE_TAKEN_BACK] = {"release-taken-back", VIOLATION_TICKET, 1, 1, false},
    [BREAK_TERM_NOT_RAISED] = {"term-not-raised", VIOLATION_TERM_REUSED, 1, 0, true},
    [BREAK_RATE_FORGOTTEN] = {"rate-forgotten", VIOLATION_CLAIM, 1, 0, false},
    [BREAK_MISSING_IS_EMPTY] = {"missing-is-empty", VIOLATION_RELEASE, 1, 0, true},
    [BREAK_ORPHAN_AT_ONCE] = {"orphan-at-once", VIOLATION_ORPHAN, 1, 0, true},
    [BREAK_UNKNOWN_NONCE_FORGOTTEN] = {"unknown-nonce-forgotten", VIOLATION_COPY, 1, 0, true},
};

const char *break_name(enum search_break b)
{
    return breaks[b].name;
}

enum violation break_found_by(enum search_break b)
{
    return breaks[b].found_by;
}

unsigned break_deviations(enum search_break b)
{
    return breaks[b].deviations;
}

unsigned break_orders(enum search_break b)
{
    return breaks[b].orders;
}

bool break_is_quick(enum search_break b)
{
    return breaks[b].quick;
}

/* A D that was computed without the rate of clocks. */
void break_grid(enum search_break b)
{
    broken = b;
    if (b != BREAK_RATE_FORGOTTEN)
        return;
    grid.skew_is_free = true;
    grid.budget.duration += grid.tick;
    grid.budget.poll = grid.budget.request = grid.budget.duration / BUDGET_TRIES;
}

static void believe(const struct node *n, struct member_event *event, struct reply *spare)
{
    const struct member *m = &n->member;
    bool claim = m->operation == OPERATION_CLAIM;

    *spare = (struct reply){.outcome = OUTCOME_GRANTED, .has_record = true, .epoch = m->seen.epoch};
    spare->record = (struct record){.term = claim ? m->highest_term + 1 : m->term.number,
                                    .nonce = m->sent_nonce,
                                    .lease = grid.budget.lease,
                                    .stop = grid.budget.stop,
                                    .duration = grid.budget.duration};
    memcpy(spare->record.owner, m->owner, sizeof spare->record.owner);
    event->reply = spare;
}

/* It has been watched for long when it is seen for the first time. */
static void watch_long(struct member *m, const struct reply *reply)
{
    m->watch = (struct watch){.term = reply->record.term,
                              .nonce = reply->record.nonce,
                              .epoch = reply->epoch,
                              .interval = grid.budget.poll,
                              .since = 1};
}

static void break_reply(struct node *n, struct member_event *event, struct reply *spare)
{
    struct member *m = &n->member;
    bool unknown = event->reply->outcome == OUTCOME_UNKNOWN;

    if (broken == BREAK_RESTART_IGNORED) {
        *spare = *event->reply;
        spare->epoch.started = m->seen.valid ? m->seen.epoch.started : spare->epoch.started;
        event->reply = spare;
    }
    if (broken == BREAK_DEADLINE_FROM_REPLY && m->operation != OPERATION_OBSERVE)
        m->sent_at = event->now;
    if (broken == BREAK_UNKNOWN_RENEWAL_BELIEVED && unknown && m->operation == OPERATION_RENEW &&
        m->state == MEMBER_LEADING)
        believe(n, event, spare);
    if (broken == BREAK_UNKNOWN_CLAIM_BELIEVED && unknown && m->operation == OPERATION_CLAIM &&
        m->state == MEMBER_STANDBY)
        believe(n, event, spare);
    if (broken == BREAK_ORPHAN_AT_ONCE && event->reply->has_record)
        watch_long(m, event->reply);
}

static void break_host(struct node *n, struct member_event *event, struct host_state *spare)
{
    const struct member *m = &n->member;

    *spare = *event->host;
    if (m->state == MEMBER_ENDING &&
        (broken == BREAK_PROOF_FROM_BEFORE || broken == BREAK_PROOF_INVENTED))
        spare->asked_at = event->now;
    if (m->state == MEMBER_ENDING && broken == BREAK_PROOF_INVENTED) {
        spare->keeper = KEEPER_GONE;
        spare->units_dead = spare->slice_empty = true;
    }
    event->host = spare;
}

void break_before(struct node *n, struct member_event *event, struct reply *spare_reply,
                  struct host_state *spare_host)
{
    struct member *m = &n->member;

    if (broken == BREAK_NONE)
        return;
    if (event->type == EVENT_REPLY)
        break_reply(n, event, spare_reply);
    if (event->type == EVENT_HOST)
        break_host(n, event, spare_host);
    if (event->type == EVENT_CONNECTED && broken == BREAK_RECONNECT_IGNORED)
        event->type = EVENT_HINT;
    if (event->type == EVENT_SEND && broken == BREAK_OBSERVATION_HALVED)
        m->seen.since = usec_sub(m->seen.since, m->seen.record.lease / 2);
}

/* The ticket of this term once more, whatever became of the first. */
static void start_again(struct member *m, const struct member *before,
                        const struct member_event *event, struct update *update)
{
    bool taken_back = broken == BREAK_RELEASE_TAKEN_BACK && before->state == MEMBER_RELEASING &&
                      event->type == EVENT_REPLY && event->reply->outcome == OUTCOME_UNKNOWN;
    bool twice = broken == BREAK_TERM_TWICE && before->state == MEMBER_ENDING &&
                 m->state == MEMBER_RELEASING && !m->stopping;

    if ((!taken_back && !twice) || m->term.deadline < event->now + grid.tick / 2)
        return;
    m->state = MEMBER_STARTING;
    m->since = event->now;
    m->started_at = 0;
    update->actions |= ACTION_TICKET;
}

void break_after(struct node *n, const struct member *before, const struct member_event *event,
                 struct update *update)
{
    struct member *m = &n->member;

    if (broken == BREAK_OBSERVATION_HALVED && event->type == EVENT_SEND)
        m->seen.since = usec_add(m->seen.since, m->seen.record.lease / 2);
    if (broken == BREAK_OBSERVATION_KEPT && event->type == EVENT_REPLY && before->seen.valid &&
        m->seen.valid)
        m->seen.since = before->seen.since;
    if (broken == BREAK_TICKET_LEFT)
        update->actions &= ~(unsigned)ACTION_UNLINK;
    if (broken == BREAK_ADOPTED_BY_READING && m->state == MEMBER_ADOPTING) {
        m->state = MEMBER_LEADING;
        m->term.deadline = event->now + m->term.cover.duration;
        update->actions |= ACTION_EXTEND;
    }
    if (broken == BREAK_NOTICE_OBSERVED && m->operation == OPERATION_CLAIM && m->sent_notice)
        update->request.rests_on_clean = false;
    if (broken == BREAK_UNKNOWN_NONCE_FORGOTTEN && event->type == EVENT_REPLY &&
        event->reply->outcome == OUTCOME_UNKNOWN)
        m->term.nonces = before->term.nonces;
    start_again(m, before, event, update);
}
