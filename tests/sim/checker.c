/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants. What they need to know they note down themselves, from what really happened in
 * the model and from what really came to an agent; they never believe the member. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define BUSY_PER_SECOND_MAX 50u
/* In which a healthy node gets to run, and a little. */
#define PROMPT_USEC (5 * USEC_PER_MSEC)
/* What a member waits by itself after it gave a term up counts as short up to here. */
#define SHORT_WAIT_USEC (2 * USEC_PER_SEC)
/* A start, the clock of the one that waits, and how often it is looked at here. */
#define LIVE_MARGIN_USEC (1 * USEC_PER_SEC)
/* A heal for each group within so long, in a row of which the pauses grow. */
#define HEAL_WINDOW_USEC (10 * USEC_PER_SEC)
#define HEALS_PER_WINDOW_MAX 6u
/* A leader that nothing keeps from seeing it has seen by then that something of its runs where no
 * keeper ends it; has tried to heal what is not guarded; and has looked what came of that. */
#define OUTSIDE_MAX_USEC (8 * USEC_PER_SEC)
#define BARE_MAX_USEC (32 * USEC_PER_SEC)
#define VAIN_MAX_USEC (2 * USEC_PER_SEC)
/* What was answered a while ago may still count. */
#define GUARDS_ANSWER_MAX_USEC (HEAL_ANSWER_AGE_USEC + USEC_PER_SEC)
#define LIVE_MAX_USEC (1300 * USEC_PER_SEC) /* with all backoffs */

/* ---- asking ---- */

static void check_claim(struct world *w, const struct node *n, struct exchange *x)
{
    const struct witness *v = &n->witness;
    const struct request *q = &x->request;
    usec_t lease = v->record.lease;
    bool same = v->seen && v->record.term == q->expected_term &&
                nonce_equal(&v->record.nonce, &q->expected_nonce) &&
                epoch_equal(&v->epoch, &q->epoch);
    bool announced = v->was_notified && v->notice.term == q->expected_term &&
                     nonce_equal(&v->notice.nonce, &q->expected_nonce);

    x->seen_clean = same && v->record.claimable;
    x->seen_before = same && v->connection != x->connection;
    x->seen_long = same && x->sent_host - v->since >= usec_max(lease, q->lease);
    if (x->fit && q->rests_on_clean && announced && !x->seen_clean)
        return; /* the arbiter alone can say whether it is true */
    if (!x->fit || !same)
        sim_violate(w, VIOLATION_CLAIM, "n%u claims what it has not seen", n->index);
    else if (q->rests_on_clean && !v->record.claimable)
        sim_violate(w, VIOLATION_CLAIM, "n%u takes the record for clean", n->index);
    else if (!q->rests_on_clean &&
             (x->sent_host - v->since < lease || x->sent_host - v->last > lease / 2))
        sim_violate(w, VIOLATION_CLAIM, "n%u observed for %" PRIu64 " of %" PRIu64 " us", n->index,
                    x->sent_host - v->since, lease);
}

static bool all_dead(const struct node *n)
{
    return !n->running && !n->restarting && n->hook == HOOK_NONE && !n->address &&
           !n->keeper_alive && !n->has_ticket && n->keeper_unit != UNIT_ACTIVE &&
           n->keeper_unit != UNIT_ACTIVATING;
}

static void remember_own(struct witness *v, const struct nonce *nonce)
{
    memmove(&v->own[1], &v->own[0], (SIM_NONCES - 1) * sizeof v->own[0]);
    v->own[0] = *nonce;
    v->n_own += v->n_own < SIM_NONCES;
}

static bool is_own(const struct witness *v, const struct nonce *nonce)
{
    for (unsigned i = 0; i < v->n_own; i++)
        if (nonce_equal(&v->own[i], nonce))
            return true;
    return false;
}

/* What it gives back without having been granted it: but for its own claim, whose answer was lost.
 */
static bool is_orphan(const struct witness *v, const struct request *q)
{
    bool own = true;

    for (unsigned i = 0; i < q->n_known; i++)
        own = own && is_own(v, &q->known[i]);
    return q->term != v->own_term && !own;
}

void checker_send(struct world *w, struct node *n, struct exchange *x)
{
    struct witness *v = &n->witness;
    const struct request *q = &x->request;

    if (!x->fit)
        v->seen = false;
    if (q->operation == OPERATION_CLAIM)
        check_claim(w, n, x);
    if (q->operation == OPERATION_CLAIM || q->operation == OPERATION_RENEW)
        remember_own(v, &q->fresh_nonce);
    if (q->operation == OPERATION_RENEW && q->term <= v->released_term)
        sim_violate(w, VIOLATION_RELEASE, "n%u renews term %" PRIu64 " that it released", n->index,
                    q->term);
    if (q->operation != OPERATION_RELEASE)
        return;
    if (!all_dead(n))
        sim_violate(w, VIOLATION_RELEASE, "n%u releases term %" PRIu64 "%s%s%s%s%s", n->index,
                    q->term, n->running ? ", units run" : "",
                    n->hook != HOOK_NONE ? ", or have to run yet" : "",
                    n->address ? ", what they set up is left" : "",
                    n->keeper_alive ? ", the keeper lives" : "",
                    n->has_ticket ? ", the ticket is out" : "");
    if (q->term > v->released_term)
        v->released_term = q->term;
    x->orphan = is_orphan(v, q);
    if (x->orphan && v->orphan_term == q->term && v->orphan_changes >= 2)
        sim_violate(w, VIOLATION_ORPHAN, "n%u releases what changed twice", n->index);
}

void checker_notice(struct node *n, const struct release_notice *notice)
{
    n->witness.was_notified = true;
    n->witness.notice = *notice;
}

/* What the budget grants after the deadline. */
static usec_t rest_of_term(usec_t stop, usec_t lease)
{
    return BUDGET_SLACK_USEC + stop + budget_kill(lease);
}

static void note_granted(const struct world *w, struct node *n, usec_t deadline, usec_t stop,
                         usec_t lease)
{
    usec_t until = sim_true(w, n->host, deadline + BUDGET_SLACK_USEC + stop);

    if (deadline <= sim_host_state(w, n->host))
        return; /* by an agent that was stalled: nobody goes by it */
    n->granted_until = usec_max(n->granted_until, until);
    n->granted_lease = lease;
}

static usec_t granted_until(const struct node *n)
{
    return n->granted_until +
           usec_max(budget_kill(n->granted_lease),
                    n->running && n->zombie == 0 ? budget_kill(n->run.lease) : 0);
}

/* A record that this node was not granted, and that has its name: by nobody's renewals does it
 * change, but by an earlier life's, or a copy's. */
static void watch_orphan(struct world *w, struct node *n, const struct reply *reply)
{
    struct witness *v = &n->witness;
    const struct record *r = &reply->record;
    const struct member *m = &n->member;
    bool watched =
        m->state == MEMBER_STANDBY || (m->state == MEMBER_RELEASING && m->term.number == r->term);

    if (r->clean || strcmp(r->owner, n->host->owner) != 0 || !watched)
        return;
    if (r->term == v->own_term || is_own(v, &r->nonce)) {
        /* The earlier one is over, whichever node had it: it is watched again if a failover brings
         * it back. */
        if (r->term > v->orphan_term)
            v->orphan_term = 0;
        return;
    }
    if (r->term != v->orphan_term)
        v->orphan_changes = 0;
    else if (epoch_equal(&v->orphan_epoch, &reply->epoch) &&
             !nonce_equal(&v->orphan_nonce, &r->nonce)) {
        v->orphan_changes++;
        w->coverage->orphans_changed++;
    }
    v->orphan_term = r->term;
    v->orphan_nonce = r->nonce;
    v->orphan_epoch = reply->epoch;
}

void checker_answer(struct world *w, struct node *n, const struct exchange *x,
                    const struct reply *reply)
{
    struct witness *v = &n->witness;
    const struct record *r = &reply->record;
    usec_t now = sim_host_state(w, n->host);

    if (reply->outcome == OUTCOME_GRANTED &&
        (x->request.operation == OPERATION_CLAIM || x->request.operation == OPERATION_RENEW)) {
        usec_t deadline = x->sent_host + r->duration;

        /* Once there is a keeper, by what that is sent: it may have to wait for a longer lease. */
        if (x->zombie == 0 && r->term != n->run.term)
            note_granted(w, n, deadline, r->stop, r->lease);
        v->acked_deadline =
            r->term == v->acked_term ? usec_max(v->acked_deadline, deadline) : deadline;
        v->acked_term = v->own_term = r->term;
        v->acked_epoch = reply->epoch;
    }
    if (!reply->has_record)
        return;
    watch_orphan(w, n, reply);
    if (!v->seen || v->record.term != r->term || !nonce_equal(&v->record.nonce, &r->nonce) ||
        !epoch_equal(&v->epoch, &reply->epoch) || now - v->last > r->lease / 2)
        v->since = now, v->connection = x->connection;
    v->seen = x->fit;
    v->last = now;
    v->record = *r;
    v->epoch = reply->epoch;
}

void checker_history(struct world *w, struct host *h, const struct epoch *epoch)
{
    if (epoch->system_id == h->answered.system_id && epoch->timeline < h->answered.timeline)
        sim_violate(w, VIOLATION_HISTORY, "n%u saw timeline %" PRIu64 ", now %" PRIu64, h->index,
                    h->answered.timeline, epoch->timeline);
    h->answered = *epoch;
}

/* ---- at the arbiter ---- */

/* A node that wants to follow by the lock waits for its own lease, too: the quarantine. */
static usec_t wait_of(const struct exchange *x, const struct row *row)
{
    usec_t lease = row->now.record.lease;

    return x->request.method == METHOD_ADVISORY ? usec_max(lease, x->request.lease) : lease;
}

static void count_claim(struct world *w, const struct exchange *x, const struct row *row)
{
    struct coverage *c = w->coverage;

    c->advisory_claims += x->request.method == METHOD_ADVISORY;
    if (x->request.rests_on_clean && !x->seen_clean)
        c->notice_claims++;
    else if (x->request.rests_on_clean)
        c->clean_claims++;
    else {
        c->observed_claims++;
        c->reconnected_claims += x->seen_before;
        c->quarantines += wait_of(x, row) > row->now.record.lease;
    }
}

/* Whether or not somebody makes use of it: as long as anybody may run, nobody else is granted a
 * term. The budget's arithmetic is in there, and needs no run in which all of it is used up. */
static void check_others_are_over(struct world *w, const struct exchange *x)
{
    const struct node *n = &w->nodes[x->node];

    for (unsigned i = n->group; i < w->n_nodes; i += w->n_groups)
        if (&w->nodes[i] != n && granted_until(&w->nodes[i]) > w->now && !w->nodes[i].host->copied)
            sim_violate(w, VIOLATION_CLAIM, "n%u claims %" PRIu64 " us before n%u's term is over",
                        n->index, granted_until(&w->nodes[i]) - w->now, i);
}

void checker_claimed(struct world *w, const struct exchange *x, struct row *row,
                     const struct server *s)
{
    const struct record *r = &row->pending.record;
    bool clean = row->now.record.clean && history_equal(&row->now.epoch, &s->epoch);
    usec_t wait = wait_of(x, row);

    if (r->term <= row->highest_term)
        sim_violate(w, VIOLATION_TERM_REUSED, "%" PRIu64 " after %" PRIu64, r->term,
                    row->highest_term);
    /* In true time, by the fastest clock that is allowed. */
    if (!clean && !w->wrong_clock && usec_sub(x->sent, row->written_at) < wait - wait / 999)
        sim_violate(w, VIOLATION_CLAIM, "n%u claims %" PRIu64 " us after the last write", x->node,
                    usec_sub(x->sent, row->written_at));
    /* What was seen before its start proves nothing. */
    if (!clean && !w->wrong_clock && usec_sub(x->sent, s->began) < wait - wait / 999)
        sim_violate(w, VIOLATION_LIFE, "n%u claims %" PRIu64 " us after the server's start",
                    x->node, usec_sub(x->sent, s->began));
    if (x->request.rests_on_clean && !clean)
        sim_violate(w, VIOLATION_CLAIM, "n%u claims as clean what is not", x->node);
    if (!clean && row->now.method != x->request.method && row->now.record.owner[0] != '\0')
        sim_violate(w, VIOLATION_CLAIM, "n%u claims by %s what was led by %s", x->node,
                    method_name(x->request.method), method_name(row->now.method));
    if (!w->wrong_clock && (s != &w->servers[0] || w->servers[1].era == 0))
        check_others_are_over(w, x);
    row->highest_term = r->term;
    w->coverage->own_claims += !clean && strcmp(row->now.record.owner, x->owner) == 0;
    count_claim(w, x, row);
}

void checker_locked(struct world *w, const struct exchange *x)
{
    if (x->request.operation != OPERATION_RELEASE &&
        x->request.operation != OPERATION_CONFIRM_DEAD && !x->locked)
        sim_violate(w, VIOLATION_LOCK, "n%u, term %" PRIu64, x->node, x->request.term);
}

void checker_released(struct world *w, const struct exchange *x, const struct row *row)
{
    struct node *n = &w->nodes[x->node];
    const struct record *r = &row->now.record;

    w->coverage->releases++;
    n->granted_until = 0;
    if (n->running && n->run.term <= x->request.term)
        sim_violate(w, VIOLATION_RELEASE, "clean, but n%u runs", n->index);
    if (n->address && n->run.term <= x->request.term)
        sim_violate(w, VIOLATION_RELEASE, "clean, but n%u has the address", n->index);
    if (r->term != x->request.term || !server_named(&x->request, &r->nonce))
        sim_violate(w, VIOLATION_RELEASE, "n%u gave back what it had not seen last", n->index);
    /* In true time, by the fastest clock that is allowed. A failover that loses what came after a
     * version brings that back, as old as it is; to give back what is clean changes nothing. */
    usec_t interval = usec_min(r->duration / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);
    usec_t age = usec_sub(x->sent, row->now.written_at);

    if (x->orphan && !r->clean && !w->wrong_clock && age < interval - interval / 999)
        sim_violate(w, VIOLATION_ORPHAN, "n%u releases %" PRIu64 " us after the last write",
                    n->index, age);
}

/* Adopted: by a nonce that it read, and in place of the life that wrote it. */
void checker_renewed(struct world *w, const struct exchange *x)
{
    const struct node *n = &w->nodes[x->node];

    if (n->host->copied && n->witness.own_term != x->request.term)
        w->groups[n->group].taken_at = w->now;
}

/* Is there another life of this very owner, or was there one that may have left something? */
static void check_other_nonce(struct world *w, struct node *n, const struct member *before,
                              const struct reply *reply)
{
    const struct witness *v = &n->witness;
    const struct member *m = &n->member;
    bool led = before->state == MEMBER_LEADING && v->own_term == before->term.number;
    bool own = is_own(v, &reply->record.nonce);
    bool another = !epoch_equal(&v->acked_epoch, &reply->epoch);

    w->coverage->adopted_later +=
        before->state == MEMBER_ADOPTING && m->state == MEMBER_ADOPTING && !own;
    if (!led || !own || !another)
        return;
    if (m->state != MEMBER_LEADING)
        sim_violate(w, VIOLATION_COPY, "n%u does not know its own nonce", n->index);
    w->coverage->lost_writes_survived++;
}

void checker_moved(struct world *w, struct node *n, const struct member *before,
                   const struct member_event *event, const struct update *update)
{
    const struct member *m = &n->member;
    bool ends = update->note == NOTE_ENDING && m->reason == REASON_COPY;
    bool begins =
        before->state == MEMBER_STANDBY && m->state != MEMBER_STANDBY && m->state != MEMBER_ENDING;

    /* A later term of its own: what a failover may bring back of earlier ones is watched again. */
    if (begins)
        n->witness.orphan_term = 0;
    if (event->type == EVENT_REPLY && event->reply->outcome == OUTCOME_OTHER_NONCE)
        check_other_nonce(w, n, before, event->reply);
    if (!ends && update->note != NOTE_COPY)
        return;
    w->coverage->copy_alarms++;
    w->coverage->false_alarms += !n->host->copied;
    /* What an earlier life sent late may look like one, to who adopts or watches; and what this one
     * sent late, as above. */
    bool late = event->type == EVENT_REPLY && event->reply->has_record &&
                is_own(&n->witness, &event->reply->record.nonce) &&
                !epoch_equal(&n->witness.acked_epoch, &event->reply->epoch);
    if (ends && before->state != MEMBER_ADOPTING && !n->host->copied && !late)
        sim_violate(w, VIOLATION_COPY, "n%u, term %" PRIu64, n->index, before->term.number);
}

/* ---- on a host ---- */

static void check_one_ticket(struct world *w, const struct node *n, uint64_t term)
{
    struct group *g = &w->groups[n->group];

    for (unsigned i = 0; i < g->n_ticketed; i++)
        if (g->ticketed[i] == term) {
            if (!n->host->copied) /* each of both has what was granted before */
                sim_violate(w, VIOLATION_SECOND_TICKET, "n%u, term %" PRIu64, n->index, term);
            return;
        }
    if (g->n_ticketed == SIM_TICKETS_MAX) { /* with a break, perhaps, that is not the one sought */
        sim_violate(w, VIOLATION_SPINNING, "more than %u tickets", g->n_ticketed);
        w->done = true;
        return;
    }
    g->ticketed[g->n_ticketed++] = term;
}

void checker_ticket(struct world *w, struct node *n, const struct ticket *t)
{
    const struct witness *v = &n->witness;

    w->coverage->tickets++;
    check_one_ticket(w, n, t->term);
    if (t->term <= v->released_term)
        sim_violate(w, VIOLATION_TICKET, "n%u, term %" PRIu64 " was released", n->index, t->term);
    if (n->running || n->hook != HOOK_NONE || n->keeper_alive)
        sim_violate(w, VIOLATION_TICKET, "n%u is not empty", n->index);
    checker_extend(w, n, t);
}

/* Sent to the keeper. */
void checker_extend(struct world *w, struct node *n, const struct ticket *t)
{
    const struct witness *v = &n->witness;

    if (t->term != v->acked_term || t->deadline > v->acked_deadline)
        sim_violate(w, VIOLATION_DEADLINE,
                    "n%u, term %" PRIu64 " until %" PRIu64 "; sent %" PRIu64 " until %" PRIu64,
                    n->index, t->term, t->deadline, v->acked_term, v->acked_deadline);
    if (n->zombie == 0)
        note_granted(w, n, t->deadline, t->stop, t->lease);
}

/* A keeper's term: whatever lease its deadline came from, the one that was written last covers it.
 * Where a failover has lost that, the promise is another's: docs/safety.md. */
void checker_covered(struct world *w, const struct node *n)
{
    usec_t over = n->run.deadline + rest_of_term(n->run.stop, n->run.lease);

    if (n->keeper_alive && n->keeper.phase == KEEPER_LEADING && n->run.term == n->covered_term &&
        over > n->covered_until && !n->host->copied)
        sim_violate(w, VIOLATION_COVER,
                    "n%u, term %" PRIu64 ": %" PRIu64 " us beyond the lease in the record",
                    n->index, n->run.term, over - n->covered_until);
}

void checker_written(struct world *w, const struct exchange *x, const struct record *r)
{
    struct node *n = &w->nodes[x->node];
    usec_t lease =
        r->lease - (2 * r->lease + BUDGET_CLOCK_RATE_DIVISOR - 1) / BUDGET_CLOCK_RATE_DIVISOR;

    /* Of two histories at once no write covers what another one brought. */
    n->covered_term = w->servers[1].era == 0 ? r->term : 0;
    n->covered_until = x->sent_host + lease;
    checker_covered(w, n);
}

/* Whatever the state says of it: what the keeper has, or by its D could have at most. */
void checker_adopted(struct world *w, const struct node *n)
{
    usec_t most = usec_add(sim_host_state(w, n->host), n->run.duration);

    w->coverage->damaged_adopted += n->damage > 0;
    if (n->member.term.deadline < n->run.deadline || n->member.term.deadline > most)
        sim_violate(w, VIOLATION_DEADLINE,
                    "n%u adopts term %" PRIu64 " until %" PRIu64 ", by its keeper %" PRIu64
                    ", at most %" PRIu64,
                    n->index, n->member.term.number, n->member.term.deadline, n->run.deadline,
                    most);
}

/* The keeper has believed a message: run.deadline is still the one from before. */
void checker_extended(struct world *w, const struct node *n)
{
    usec_t now = sim_host_state(w, n->host);

    if (now >= n->run.deadline)
        sim_violate(w, VIOLATION_STOP, "n%u goes on %" PRIu64 " us after its deadline", n->index,
                    now - n->run.deadline);
}

void checker_keeper(struct world *w, const struct node *n)
{
    struct group *g = &w->groups[n->group];
    uint64_t term = n->keeper.term;

    /* A primary that should be dead goes on with terms of its own timeline. */
    if (term <= g->started_term && n->zombie == 0 && !n->host->copied)
        sim_violate(w, VIOLATION_TERM_REUSED, "a keeper of term %" PRIu64 " after %" PRIu64, term,
                    g->started_term);
    g->started_term = usec_max(g->started_term, term);
}

/* The keeper and then its fence have ended: nobody is left to kill what runs from here on. */
void checker_guards_gone(struct world *w, const struct node *n)
{
    if (n->running || n->restarting || n->hook != HOOK_NONE)
        sim_violate(w, VIOLATION_GONE, "n%u, term %" PRIu64 ": %s", n->index, n->run.term,
                    n->restarting         ? "units are about to be started once more"
                    : n->hook == HOOK_DUE ? "ExecStopPost= is about to be run"
                                          : "processes are left");
}

void checker_running(struct world *w, struct node *n)
{
    w->coverage->unit_starts++;
    for (unsigned i = 0; i < w->n_nodes; i++) {
        const struct node *other = &w->nodes[i];

        if (other == n || other->group != n->group || !other->running)
            continue;
        if (n->zombie != other->zombie)
            w->coverage->overlaps++;
        else if (w->wrong_clock)
            w->coverage->clock_overlaps++;
        else if (!copy_may_overlap(n, other))
            sim_violate(w, VIOLATION_TWO_LEADERS, "n%u starts its units while n%u runs them",
                        n->index, i);
    }
}

/* How long two ran, where a clock was wrong. */
void checker_gone(struct world *w, const struct node *n)
{
    copy_gone(w, n);
    for (unsigned i = n->group; w->wrong_clock && i < w->n_nodes; i += w->n_groups) {
        const struct node *other = &w->nodes[i];

        if (other != n && other->running && other->zombie == n->zombie)
            w->coverage->clock_overlap_usec +=
                w->now - usec_max(n->running_since, other->running_since);
    }
}

/* A keeper that was not frozen at its deadline begins the stop there and then, as does PID 1
 * of one that is dead; for one that did, PID 1's watchdog does within the slack. */
static usec_t stop_due(const struct world *w, const struct node *n, usec_t now)
{
    bool prompt =
        usec_sub(w->now, n->keeper_stalled_until) > usec_sub(now, n->run.deadline) + PROMPT_USEC;

    return n->run.deadline + (prompt ? PROMPT_USEC : BUDGET_SLACK_USEC + CARRIED_USEC);
}

/* ---- guards ---- */

void checker_ending(struct world *w, const struct node *n)
{
    bool bare = n->bare || w->now - n->back_at <= GUARDS_ANSWER_MAX_USEC;

    if (n->member.reason == REASON_OUTSIDE && n->outside_term != n->member.term.number)
        sim_violate(w, VIOLATION_GUARDS, "n%u, term %" PRIu64 ": nothing ran outside the slice",
                    n->index, n->member.term.number);
    if (n->member.reason == REASON_UNGUARDED && (n->vain < HEALS_MAX || !bare))
        sim_violate(w, VIOLATION_GUARDS,
                    "n%u, term %" PRIu64 ": %u heals in vain, and the guards are%s lost", n->index,
                    n->member.term.number, n->vain, bare ? "" : " not");
    /* A clock that is off by far looks like pauses, again and again. Who has it shall end then, and
     * where nobody else may follow nobody has said that there is a leader. */
    if (w->wrong_clock && n->member.reason == REASON_PAUSED)
        w->groups[n->group].leaderless_since = 0;
}

void checker_heal(struct world *w, struct host *h, const struct node *n)
{
    if (n->guards_reported != GUARDS_PART && n->guards_reported != GUARDS_BARE)
        sim_violate(w, VIOLATION_GUARDS, "n%u heals what PID 1 has not said to be lost", n->index);
    if (w->now - h->heal_window >= HEAL_WINDOW_USEC) {
        h->heal_window = w->now;
        h->heals = 0;
    }
    if (++h->heals > HEALS_PER_WINDOW_MAX * w->n_groups)
        sim_violate(w, VIOLATION_SPINNING, "n%u: %u heals within ten seconds", h->index, h->heals);
}

/* Is there anything by which a leader could miss what becomes of its guards? */
static bool looks_freely(const struct world *w, const struct node *n)
{
    const struct host *h = n->host;

    return h->alive && n->member.state == MEMBER_LEADING && h->agent_stalled_until <= w->now &&
           (h->pid1_stalled_until <= w->now || h->pid1_stalled_until == h->reload_until) &&
           h->bus_until <= w->now && h->guards_until <= w->now && !w->wrong_clock;
}

static void check_guards(struct world *w, struct node *n)
{
    bool free = looks_freely(w, n);

    if (!free || !n->outside)
        n->outside_since = w->now;
    if (!free || !n->bare) {
        n->watched_since = w->now;
        n->vain_watched = 0;
    }
    if (w->now - n->outside_since > OUTSIDE_MAX_USEC)
        sim_violate(w, VIOLATION_GUARDS, "n%u leads on with units outside their slice", n->index);
    /* One of the heals may have been another group's, and begun too soon to count. */
    if (w->now - n->watched_since > BARE_MAX_USEC ||
        (n->vain_watched > HEALS_MAX && w->now - n->vain_at > VAIN_MAX_USEC))
        sim_violate(w, VIOLATION_GUARDS, "n%u leads on with units unguarded", n->index);
}

/* Whatever happened up to now, with this node's processes as they were. */
void checker_step(struct world *w, struct node *n)
{
    usec_t now = sim_host_state(w, n->host);

    check_guards(w, n);
    if (!n->running || w->wrong_clock)
        return;
    copy_step(w, n);
    if (!n->stop_begun && now > stop_due(w, n, now))
        sim_violate(w, VIOLATION_STOP, "n%u, term %" PRIu64 ": %" PRIu64 " us after the deadline",
                    n->index, n->run.term, now - n->run.deadline);
    if (now > n->run.deadline + BUDGET_SLACK_USEC + n->run.stop + budget_kill(n->run.lease))
        sim_violate(w, VIOLATION_ALIVE, "n%u, term %" PRIu64 ": %" PRIu64 " us after the deadline",
                    n->index, n->run.term, now - n->run.deadline);
}

void checker_busy(struct world *w, struct host *h, unsigned *count, const char *what)
{
    if (w->now - h->window >= USEC_PER_SEC) {
        h->window = w->now;
        h->sends = h->clocks = h->looks = 0;
    }
    if (++*count > BUSY_PER_SECOND_MAX * w->n_groups)
        sim_violate(w, VIOLATION_SPINNING, "n%u: %u %s within a second", h->index, *count, what);
}

/* ---- when all is well again ---- */

static bool leads(const struct node *n)
{
    return n->host->alive && n->running && n->member.state == MEMBER_LEADING;
}

static usec_t longest_lease(const struct world *w, unsigned group)
{
    usec_t lease = w->servers[0].rows[group].now.record.lease;

    for (unsigned i = group; i < w->n_nodes; i += w->n_groups)
        lease = usec_max(lease, w->nodes[i].budget.lease);
    return lease;
}

/* The promise, L(1 + rho) + p + the start, for the slowest that take part. Who may have left
 * something behind lets others go first for another 2p. */
static usec_t failover_bound(const struct world *w, unsigned group)
{
    usec_t bound = longest_lease(w, group) + LIVE_MARGIN_USEC + (w->pulled ? 0 : SHORT_WAIT_USEC);
    usec_t poll = 0;
    bool left = false;

    for (unsigned i = group; i < w->n_nodes; i += w->n_groups) {
        poll = usec_max(poll, w->nodes[i].budget.poll);
        left = left || w->nodes[i].member.left_term > 0;
    }
    bound += (left ? 3 : 1) * poll;
    return w->wrong_clock ? 2 * bound : bound; /* by a clock that may be 40 % slow */
}

/* Is it configured with the method that the record was led by, unless that is clean? */
static bool may_follow(const struct world *w, const struct node *n)
{
    const struct server *s = &w->servers[0];
    const struct version *v = &s->rows[n->group].now;

    return n->method == v->method || v->record.owner[0] == '\0' ||
           (v->record.clean && history_equal(&v->epoch, &s->epoch));
}

enum prospect {
    PROSPECT_NONE,  /* those that take part are configured with the other method */
    PROSPECT_LATER, /* they wait after starts that failed, or end a term of their own first */
    PROSPECT_SOON,  /* what a member waits for otherwise is short */
};

static enum prospect prospect_of(const struct world *w, const struct node *n)
{
    if (!n->host->alive)
        return PROSPECT_LATER;
    if (n->retired || !may_follow(w, n))
        return PROSPECT_NONE;
    if (n->member.state == MEMBER_ENDING)
        return PROSPECT_LATER;
    return n->member.failed_starts == 0 ||
                   n->member.not_before <= usec_add(sim_host_state(w, n->host), SHORT_WAIT_USEC)
               ? PROSPECT_SOON
               : PROSPECT_LATER;
}

static enum prospect prospect(const struct world *w, unsigned group)
{
    enum prospect best = PROSPECT_NONE;

    for (unsigned i = group; i < w->n_nodes; i += w->n_groups) {
        enum prospect p = prospect_of(w, &w->nodes[i]);

        if (p > best)
            best = p;
    }
    return best;
}

static void nobody_leads(struct world *w, unsigned group)
{
    struct group *g = &w->groups[group];
    enum prospect p = prospect(w, group);

    if (g->leaderless_since == 0 || p != PROSPECT_SOON) {
        g->leaderless_since = w->now;
        g->bound = 0;
    }
    /* A claim that was granted meanwhile may have brought a shorter lease. */
    g->bound = usec_max(g->bound, failover_bound(w, group));
    if (w->now - g->leaderless_since > g->bound || w->now - w->late_at > LIVE_MAX_USEC)
        sim_violate(w, VIOLATION_NO_LEADER, "g%u for %" PRIu64 " ms", group,
                    (w->now - g->leaderless_since) / USEC_PER_MSEC);
    g->done = (p == PROSPECT_NONE || (w->pulled && p == PROSPECT_LATER)) && w->now >= w->quiet_at;
}

static void still_leads(struct world *w, unsigned group)
{
    struct group *g = &w->groups[group];
    const struct node *n = &w->nodes[g->leader];

    if (w->wrong_clock) /* the agent notices, and has somebody else lead */
        g->done = true;
    else if (!leads(n) || n->member.term.number != g->leader_term)
        sim_violate(w, VIOLATION_UNREST, "n%u led term %" PRIu64 ", and gave up: %s", n->index,
                    g->leader_term, member_reason_text(n->member.reason));
    else if (w->now - g->leader_since > 2 * longest_lease(w, group))
        g->done = true;
}

/* A leader may yet lose its term by what happened before, until all has settled. */
static void check_group(struct world *w, unsigned group)
{
    struct group *g = &w->groups[group];

    if (g->leader >= 0) {
        still_leads(w, group);
        return;
    }
    for (unsigned i = group; i < w->n_nodes; i += w->n_groups) {
        const struct node *n = &w->nodes[i];

        /* How long PID 1 takes for the units is not the election's. */
        if (!n->host->alive || n->member.state != MEMBER_LEADING || (!n->running && !w->pulled))
            continue;
        g->leaderless_since = 0;
        if (w->now < w->quiet_at)
            return;
        g->leader = (int)i;
        g->leader_term = n->member.term.number;
        g->leader_since = w->now;
        g->done = w->pulled;
        return;
    }
    nobody_leads(w, group);
}

static bool others_may_follow(const struct world *w, unsigned group)
{
    const struct node *leader = &w->nodes[w->groups[group].leader];

    for (unsigned i = group; i < w->n_nodes; i += w->n_groups)
        if (w->nodes[i].host != leader->host && prospect_of(w, &w->nodes[i]) == PROSPECT_SOON)
            return true;
    return false;
}

static void pull_plug_of(struct world *w, struct host *h)
{
    w->coverage->plugs++;
    agent_die(w, h);
    machine_reboot(w, h); /* and nobody starts the agent */
    for (unsigned i = 0; i < w->n_groups; i++) {
        struct group *g = &w->groups[i];

        if (g->leader < 0 || w->nodes[g->leader].host != h)
            continue;
        g->leader = -1;
        g->leaderless_since = w->now;
        g->bound = 0;
        g->done = false;
    }
}

/* The main job once more, at the end of a run in which much went wrong: whether there was somebody
 * to take over. */
static bool pull_plug(struct world *w)
{
    if (w->pulled)
        return false;
    w->pulled = true;
    for (unsigned g = 0; g < w->n_groups; g++)
        if (w->groups[g].leader >= 0 && others_may_follow(w, g)) {
            pull_plug_of(w, w->nodes[w->groups[g].leader].host);
            return true;
        }
    return false;
}

void checker_check(struct world *w)
{
    w->done = true;
    for (unsigned g = 0; g < w->n_groups; g++) {
        if (!w->groups[g].done)
            check_group(w, g);
        w->done = w->done && w->groups[g].done;
    }
    if (w->done && pull_plug(w))
        w->done = false;
}
