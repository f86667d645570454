/* SPDX-License-Identifier: Apache-2.0 */
/* Deliberate breaks, made around the shipped code: events are forged before a step, the member or
 * what it wants is bent after it. Each stands for a mistake somebody could make in there. */
#include <string.h>

#include "sim.h"

static const struct {
    const char *name;
    enum violation caught_by;
} mutations[MUTATIONS] = {
    [MUTATION_NONE] = {"none", VIOLATION_NONE},
    [MUTATION_DEADLINE_FROM_REPLY] = {"deadline-from-reply", VIOLATION_DEADLINE},
    [MUTATION_UNKNOWN_RENEWAL_BELIEVED] = {"unknown-renewal-believed", VIOLATION_TWO_LEADERS},
    [MUTATION_UNKNOWN_CLAIM_BELIEVED] = {"unknown-claim-believed", VIOLATION_TWO_LEADERS},
    [MUTATION_OBSERVATION_KEPT] = {"observation-kept", VIOLATION_TWO_LEADERS},
    [MUTATION_OBSERVATION_HALVED] = {"observation-halved", VIOLATION_TWO_LEADERS},
    [MUTATION_RECONNECT_IGNORED] = {"reconnect-ignored", VIOLATION_CLAIM},
    [MUTATION_RECONNECT_FORGETS] = {"reconnect-forgets", VIOLATION_NO_LEADER},
    [MUTATION_RESTART_IGNORED] = {"restart-ignored", VIOLATION_LIFE},
    [MUTATION_CLAIM_OF_ANOTHER_LIFE] = {"claim-of-another-life", VIOLATION_LIFE},
    [MUTATION_PROOF_FROM_BEFORE] = {"proof-from-before", VIOLATION_RELEASE},
    [MUTATION_PROOF_INVENTED] = {"proof-invented", VIOLATION_TWO_LEADERS},
    [MUTATION_TICKET_LEFT] = {"ticket-left", VIOLATION_TWO_LEADERS},
    [MUTATION_ADOPTED_BY_READING] = {"adopted-by-reading", VIOLATION_DEADLINE},
    [MUTATION_TERM_TWICE] = {"term-twice", VIOLATION_SECOND_TICKET},
    [MUTATION_KEEPER_ADDS_GRACE] = {"keeper-adds-grace", VIOLATION_STOP},
    [MUTATION_KEEPER_BELIEVES_TICKET] = {"keeper-believes-ticket", VIOLATION_STOP},
    [MUTATION_KEEPER_KILLS_LATE] = {"keeper-kills-late", VIOLATION_ALIVE},
    [MUTATION_KEEPER_NEVER_KILLS] = {"keeper-never-kills", VIOLATION_TWO_LEADERS},
    [MUTATION_CLAIM_IGNORES_NONCE] = {"claim-ignores-nonce", VIOLATION_CLAIM},
    [MUTATION_CLEAN_UNTESTED] = {"clean-untested", VIOLATION_CLAIM},
    [MUTATION_NOTICE_OBSERVED] = {"notice-observed", VIOLATION_CLAIM},
    [MUTATION_RENEWS_ANYBODYS] = {"renews-anybodys", VIOLATION_TWO_LEADERS},
    [MUTATION_COMMITS_LOST] = {"commits-lost", VIOLATION_TWO_LEADERS},
    [MUTATION_DEAF_WHILE_ENDING] = {"deaf-while-ending", VIOLATION_NO_LEADER},
    [MUTATION_ALWAYS_DUE] = {"always-due", VIOLATION_SPINNING},
    [MUTATION_NONCE_COUNTS] = {"nonce-counts", VIOLATION_CLAIM},
    [MUTATION_STALE_REPLY_BELIEVED] = {"stale-reply-believed", VIOLATION_DEADLINE},
    [MUTATION_RELEASE_IGNORES_TERM] = {"release-ignores-term", VIOLATION_RELEASE},
    [MUTATION_RELEASE_IGNORES_NONCE] = {"release-ignores-nonce", VIOLATION_RELEASE},
    [MUTATION_CLEAN_ACROSS_TIMELINES] = {"clean-across-timelines", VIOLATION_CLAIM},
    [MUTATION_NEW_BUDGET_AT_ONCE] = {"new-budget-at-once", VIOLATION_DEADLINE},
    [MUTATION_LONGER_AT_ONCE] = {"longer-at-once", VIOLATION_CLAIM},
    [MUTATION_SHORTER_AT_ONCE] = {"shorter-at-once", VIOLATION_COVER},
    [MUTATION_ADOPTS_BY_THE_KEEPERS_D] = {"adopts-by-the-keepers-d", VIOLATION_DEADLINE},
    [MUTATION_EARLIER_SENDS_FORGOTTEN] = {"earlier-sends-forgotten", VIOLATION_COVER},
    [MUTATION_LONGER_K_FORGOTTEN] = {"longer-k-forgotten", VIOLATION_COVER},
    [MUTATION_TICKET_TWICE] = {"ticket-twice", VIOLATION_TERM_REUSED},
    [MUTATION_KEEPER_BELIEVES_LATE] = {"keeper-believes-late", VIOLATION_STOP},
    [MUTATION_KILL_FROM_THE_END] = {"kill-from-the-end", VIOLATION_ALIVE},
    [MUTATION_QUARANTINE_SKIPPED] = {"quarantine-skipped", VIOLATION_CLAIM},
    [MUTATION_CLEAN_IN_QUARANTINE] = {"clean-in-quarantine", VIOLATION_TWO_LEADERS},
    [MUTATION_LOCK_NOT_ASKED_FOR] = {"lock-not-asked-for", VIOLATION_LOCK},
    [MUTATION_OTHER_METHOD_IGNORED] = {"other-method-ignored", VIOLATION_CLAIM},
    [MUTATION_OLD_TIMELINE_BELIEVED] = {"old-timeline-believed", VIOLATION_HISTORY},
    [MUTATION_HOST_TAKEN_FOR_EMPTY] = {"host-taken-for-empty", VIOLATION_TICKET},
    [MUTATION_FAILED_COUNTS_AS_DEAD] = {"failed-counts-as-dead", VIOLATION_RELEASE},
    [MUTATION_EMPTY_BELIEVED_FIRST] = {"empty-believed-first", VIOLATION_GONE},
    [MUTATION_RELEASE_TAKEN_BACK] = {"release-taken-back", VIOLATION_TICKET},
    [MUTATION_RENEWS_SELDOM] = {"renews-seldom", VIOLATION_UNREST},
    [MUTATION_TERM_NOT_RAISED] = {"term-not-raised", VIOLATION_TERM_REUSED},
    [MUTATION_SLACK_FORGOTTEN] = {"slack-forgotten", VIOLATION_CLAIM},
    [MUTATION_RATE_FORGOTTEN] = {"rate-forgotten", VIOLATION_CLAIM},
    [MUTATION_ACCURACY_FORGOTTEN] = {"accuracy-forgotten", VIOLATION_STOP},
    [MUTATION_OBSERVES_TOO_LONG] = {"observes-too-long", VIOLATION_NO_LEADER},
    [MUTATION_YIELDS_TOO_LONG] = {"yields-too-long", VIOLATION_NO_LEADER},
    [MUTATION_ADOPTED_DEADLINE_BELIEVED] = {"adopted-deadline-believed", VIOLATION_DEADLINE},
    [MUTATION_OLD_GUARDS_BELIEVED] = {"old-guards-believed", VIOLATION_GUARDS},
    [MUTATION_UNKNOWN_IS_LOST] = {"unknown-is-lost", VIOLATION_GUARDS},
    [MUTATION_UNGUARDED_LEADS_ON] = {"unguarded-leads-on", VIOLATION_GUARDS},
    [MUTATION_OUTSIDE_LEADS_ON] = {"outside-leads-on", VIOLATION_GUARDS},
    [MUTATION_MISSING_IS_EMPTY] = {"missing-is-empty", VIOLATION_RELEASE},
    [MUTATION_FAILED_IS_DEAD] = {"failed-is-dead", VIOLATION_RELEASE},
    [MUTATION_HEALS_WITHOUT_PAUSE] = {"heals-without-pause", VIOLATION_SPINNING},
    [MUTATION_ORPHAN_AT_ONCE] = {"orphan-at-once", VIOLATION_ORPHAN},
    [MUTATION_CHANGES_NOT_COUNTED] = {"changes-not-counted", VIOLATION_ORPHAN},
    [MUTATION_OTHER_NONCE_BELIEVED] = {"other-nonce-believed", VIOLATION_COPIES},
    [MUTATION_OTHER_NONCE_IGNORED] = {"other-nonce-ignored", VIOLATION_COPIES},
    [MUTATION_RENEWS_BY_ANY_NONCE] = {"renews-by-any-nonce", VIOLATION_COPIES},
    [MUTATION_UNKNOWN_NONCE_FORGOTTEN] = {"unknown-nonce-forgotten", VIOLATION_COPY},
    [MUTATION_OWN_NONCES_FORGOTTEN] = {"own-nonces-forgotten", VIOLATION_COPY},
    [MUTATION_OWN_RECORD_LEFT] = {"own-record-left", VIOLATION_NO_LEADER},
    [MUTATION_CONFIRMED_BY_ONE_LOOK] = {"confirm-dead-believes-one-look", VIOLATION_CONFIRM},
    [MUTATION_CONFIRMED_IN_THE_OLD_TERM] = {"confirm-dead-keeps-the-term", VIOLATION_TERM_REUSED},
    [MUTATION_CONFIRMED_CLEAN] = {"confirm-dead-writes-clean", VIOLATION_CLAIM},
    [MUTATION_CONFIRMED_FOR_LESS] = {"confirm-dead-by-the-configured-lease", VIOLATION_CONFIRM},
};

const char *mutation_name(enum mutation m)
{
    return mutations[m].name;
}

enum violation mutation_caught_by(enum mutation m)
{
    return mutations[m].caught_by;
}

static void believe(const struct node *n, struct member_event *event, struct reply *spare)
{
    const struct member *m = &n->member;

    *spare = (struct reply){.outcome = OUTCOME_GRANTED, .has_record = true, .epoch = m->seen.epoch};
    spare->record = (struct record){
        .term = m->operation == OPERATION_CLAIM ? m->highest_term + 1 : m->term.number,
        .nonce = m->sent_nonce,
        .lease = m->operation == OPERATION_CLAIM ? m->budget.lease : m->term.cover.lease,
        .stop = m->operation == OPERATION_CLAIM ? m->budget.stop : m->term.stop,
        .duration = m->operation == OPERATION_CLAIM ? m->budget.duration : m->term.cover.duration,
    };
    memcpy(spare->record.owner, m->owner, sizeof spare->record.owner);
    event->reply = spare;
}

/* A budget that was computed without delta, or without rho: the record has a lease that is shorter
 * by that than the member believes. */
static usec_t forgotten(const struct world *w, usec_t lease)
{
    if (w->mutation == MUTATION_SLACK_FORGOTTEN)
        return BUDGET_SLACK_USEC;
    return w->mutation == MUTATION_RATE_FORGOTTEN ? 2 * lease / BUDGET_CLOCK_RATE_DIVISOR : 0;
}

static void forget(const struct node *n, struct member_event *event, struct reply *spare,
                   usec_t span)
{
    *spare = *event->reply;
    if (strcmp(spare->record.owner, n->member.owner) == 0)
        spare->record.lease += span;
    event->reply = spare;
}

/* It has been watched for long when it is seen for the first time. */
static void watch_long(struct member *m, const struct reply *reply)
{
    m->watch = (struct watch){.term = reply->record.term,
                              .nonce = reply->record.nonce,
                              .epoch = reply->epoch,
                              .since = 1};
}

/* It says nothing to this node, whose deadline rules; or what is there is taken, as by a renewal
 * that is keyed by term and owner alone. */
static void shrug_off_other_nonce(struct world *w, struct member *m, struct member_event *event,
                                  struct reply *spare)
{
    if (w->mutation == MUTATION_OTHER_NONCE_BELIEVED)
        nonces_granted(&m->term.nonces, &event->reply->record.nonce, &event->reply->epoch);
    *spare = (struct reply){.outcome = OUTCOME_UNKNOWN};
    event->reply = spare;
}

static void mutate_nonces(struct world *w, struct member *m, struct member_event *event,
                          struct reply *spare)
{
    const struct reply *reply = event->reply;

    if (w->mutation == MUTATION_ORPHAN_AT_ONCE && reply->has_record)
        watch_long(m, reply);
    if (w->mutation == MUTATION_CHANGES_NOT_COUNTED)
        m->watch.changes = 0;
    if (w->mutation == MUTATION_OWN_NONCES_FORGOTTEN) {
        m->term.nonces.n = m->term.nonces.n_known;
        m->term.nonces.has_acknowledged = false;
    }
    if ((w->mutation == MUTATION_OTHER_NONCE_BELIEVED ||
         w->mutation == MUTATION_OTHER_NONCE_IGNORED) &&
        reply->outcome == OUTCOME_OTHER_NONCE && m->state == MEMBER_LEADING)
        shrug_off_other_nonce(w, m, event, spare);
}

static void mutate_reply(struct world *w, struct node *n, struct member_event *event,
                         struct reply *spare)
{
    struct member *m = &n->member;
    bool unknown = event->reply->outcome == OUTCOME_UNKNOWN;

    /* A little more than was taken away, for it is a part of the shorter lease: or the member would
     * see that the budget does not hold. */
    if (event->reply->has_record && forgotten(w, m->budget.lease) > 0)
        forget(n, event, spare, forgotten(w, event->reply->record.lease) / 99 * 100 + 1);
    if (w->mutation == MUTATION_RESTART_IGNORED) {
        *spare = *event->reply;
        spare->epoch.started = 1;
        event->reply = spare;
    }
    if (w->mutation == MUTATION_DEADLINE_FROM_REPLY && m->operation != OPERATION_OBSERVE)
        m->sent_at = event->now;
    if (w->mutation == MUTATION_UNKNOWN_RENEWAL_BELIEVED && unknown &&
        m->operation == OPERATION_RENEW && m->state == MEMBER_LEADING)
        believe(n, event, spare);
    if (w->mutation == MUTATION_UNKNOWN_CLAIM_BELIEVED && unknown &&
        m->operation == OPERATION_CLAIM && m->state == MEMBER_STANDBY)
        believe(n, event, spare);
    mutate_nonces(w, m, event, spare);
}

static void mutate_guards(const struct world *w, struct node *n, const struct member_event *event,
                          struct host_state *spare)
{
    if (w->mutation == MUTATION_OLD_GUARDS_BELIEVED)
        spare->guards.asked_at = event->now;
    if (w->mutation == MUTATION_UNKNOWN_IS_LOST && spare->guards.state == GUARDS_UNKNOWN)
        spare->guards = (struct guards_seen){.state = GUARDS_BARE, .asked_at = event->now};
    if (w->mutation == MUTATION_UNGUARDED_LEADS_ON)
        n->member.heal.failed = 0;
    if (w->mutation == MUTATION_OUTSIDE_LEADS_ON)
        spare->guards.outside = false;
}

static void mutate_host(struct world *w, struct node *n, struct member_event *event,
                        struct host_state *spare)
{
    const struct member *m = &n->member;

    *spare = *event->host;
    if (w->mutation == MUTATION_FAILED_COUNTS_AS_DEAD) {
        spare->left = false;
        event->host = spare;
    }
    event->host = spare;
    mutate_guards(w, n, event, spare);
    if (w->mutation == MUTATION_HOST_TAKEN_FOR_EMPTY && m->state == MEMBER_STANDBY) {
        spare->keeper = KEEPER_GONE;
        spare->units_dead = spare->slice_empty = true;
    }
    if (m->state != MEMBER_ENDING)
        return;
    if (w->mutation == MUTATION_PROOF_FROM_BEFORE)
        spare->asked_at = usec_min(m->since + 1, event->now);
    if (w->mutation == MUTATION_PROOF_INVENTED) {
        spare->asked_at = usec_min(m->since + 1, event->now);
        spare->keeper = KEEPER_GONE;
        spare->units_dead = spare->slice_empty = true;
    }
    if (w->mutation == MUTATION_DEAF_WHILE_ENDING)
        event->type = EVENT_HINT;
}

void mutate_before(struct world *w, struct node *n, struct member_event *event,
                   struct reply *spare_reply, struct host_state *spare_host)
{
    struct member *m = &n->member;

    if (w->mutation == MUTATION_NONE)
        return;
    if (event->type == EVENT_REPLY)
        mutate_reply(w, n, event, spare_reply);
    if (event->type == EVENT_HOST)
        mutate_host(w, n, event, spare_host);
    if (event->type == EVENT_CONNECTED && w->mutation == MUTATION_RECONNECT_IGNORED)
        event->type = EVENT_HINT;
    if (event->type == EVENT_CONNECTED && w->mutation == MUTATION_RECONNECT_FORGETS)
        m->seen.valid = false;
    if (event->type == EVENT_SEND && w->mutation == MUTATION_OBSERVATION_HALVED)
        m->seen.since = usec_sub(m->seen.since, m->seen.record.lease / 2);
    if (w->mutation == MUTATION_LONGER_AT_ONCE && m->term.cover.longer > 0)
        m->term.cover.longer_since = 0;
    if (w->mutation == MUTATION_LONGER_K_FORGOTTEN)
        m->term.cover.kept = m->term.cover.lease;
}

/* The ticket of this term once more, whatever became of the first. */
static void start_again(struct member *m, struct update *update)
{
    m->state = MEMBER_STARTING;
    m->started_at = 0;
    update->actions |= ACTION_TICKET;
}

static void take_twice(struct member *m, const struct member *before,
                       const struct member_event *event, struct update *update)
{
    if (before->state != MEMBER_ENDING || m->state != MEMBER_RELEASING ||
        m->term.deadline < event->now + USEC_PER_SEC || m->stopping)
        return;
    start_again(m, update);
}

/* An unanswered release counts as none: is there time left, the term goes on. */
static void take_back(struct member *m, const struct member *before,
                      const struct member_event *event, struct update *update)
{
    if (before->state != MEMBER_RELEASING || event->type != EVENT_REPLY ||
        event->reply->outcome != OUTCOME_UNKNOWN || m->term.deadline < event->now + USEC_PER_SEC)
        return;
    start_again(m, update);
}

/* What a renewal writes, and by what it extends. */
static void mutate_lease(struct world *w, struct member *m, const struct member *before,
                         const struct member_event *event, struct update *update)
{
    bool renewal = event->type == EVENT_SEND && update->request.operation == OPERATION_RENEW;
    bool renewed = event->type == EVENT_REPLY && (update->actions & ACTION_EXTEND);
    struct spans wanted = cover_configured(&m->term.cover, m->budget.lease, m->term.stop);

    if (w->mutation == MUTATION_SHORTER_AT_ONCE && renewal && m->state == MEMBER_LEADING) {
        update->request.lease = wanted.lease;
        update->request.duration = wanted.duration;
    }
    if (w->mutation == MUTATION_NEW_BUDGET_AT_ONCE && renewed)
        m->term.deadline = usec_max(m->term.deadline, usec_add(m->sent_at, m->budget.duration));
    if (w->mutation == MUTATION_ADOPTS_BY_THE_KEEPERS_D && renewed &&
        before->state == MEMBER_ADOPTING)
        m->term.deadline =
            usec_max(m->term.deadline, usec_add(m->sent_at, m->host.keeper_duration));
    if (w->mutation == MUTATION_EARLIER_SENDS_FORGOTTEN && m->state == MEMBER_ADOPTING)
        m->term.cover.until = m->term.deadline;
}

void mutate_after(struct world *w, struct node *n, const struct member *before,
                  const struct member_event *event, struct update *update)
{
    struct member *m = &n->member;

    if (w->mutation == MUTATION_OBSERVATION_HALVED && event->type == EVENT_SEND)
        m->seen.since = usec_add(m->seen.since, m->seen.record.lease / 2);
    if (w->mutation == MUTATION_OBSERVATION_KEPT && event->type == EVENT_REPLY &&
        before->seen.valid && m->seen.valid)
        m->seen.since = before->seen.since;
    if (w->mutation == MUTATION_TICKET_LEFT)
        update->actions &= ~(unsigned)ACTION_UNLINK;
    if (w->mutation == MUTATION_ADOPTED_BY_READING && m->state == MEMBER_ADOPTING) {
        m->state = MEMBER_LEADING;
        m->term.deadline = event->now + m->term.cover.duration;
        update->actions |= ACTION_EXTEND;
    }
    if (w->mutation == MUTATION_ADOPTED_DEADLINE_BELIEVED && m->state == MEMBER_ADOPTING &&
        before->state == MEMBER_STANDBY)
        m->term.deadline = m->host.keeper_deadline;
    if (w->mutation == MUTATION_NOTICE_OBSERVED && m->operation == OPERATION_CLAIM &&
        m->sent_notice)
        update->request.rests_on_clean = false;
    if (w->mutation == MUTATION_RESTART_IGNORED)
        update->request.epoch.started = w->servers[n->host->server].epoch.started;
    if (event->type == EVENT_SEND && update->request.operation == OPERATION_CLAIM)
        update->request.lease = usec_sub(update->request.lease, forgotten(w, m->budget.lease));
    if (w->mutation == MUTATION_OBSERVES_TOO_LONG && event->type == EVENT_REPLY &&
        m->seen.since != before->seen.since)
        m->seen.since = usec_add(m->seen.since, m->seen.record.lease / 2);
    if (w->mutation == MUTATION_YIELDS_TOO_LONG && before->state == MEMBER_RELEASING &&
        m->state == MEMBER_STANDBY)
        m->not_before = usec_add(m->not_before, 20 * USEC_PER_SEC);
    if (w->mutation == MUTATION_UNKNOWN_NONCE_FORGOTTEN && event->type == EVENT_REPLY &&
        event->reply->outcome == OUTCOME_UNKNOWN)
        m->term.nonces = before->term.nonces;
    if (w->mutation == MUTATION_OWN_RECORD_LEFT && strcmp(m->seen.record.owner, m->owner) == 0 &&
        !m->seen.record.clean)
        m->seen.since = event->now;
    mutate_lease(w, m, before, event, update);
    if (w->mutation == MUTATION_TERM_TWICE)
        take_twice(m, before, event, update);
    if (w->mutation == MUTATION_RELEASE_TAKEN_BACK)
        take_back(m, before, event, update);
    if (w->mutation == MUTATION_RENEWS_SELDOM && m->state == MEMBER_LEADING)
        m->due = m->term.deadline;
    if (w->mutation == MUTATION_ALWAYS_DUE && m->state == MEMBER_STANDBY)
        m->due = event->now;
    if (w->mutation == MUTATION_HEALS_WITHOUT_PAUSE && event->type == EVENT_HEALED)
        m->heal.not_before = event->now;
}
