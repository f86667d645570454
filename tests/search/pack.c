/* SPDX-License-Identifier: Apache-2.0 */
/* A state as a row of bytes, the same for all that cannot be distinguished. First what is not read
 * any more is cleared, and times that are too old to matter are made alike; then one visitor of all
 * fields writes, reads, or moves time on, so that none of these can forget a field. */
#include <assert.h>
#include <string.h>

#include "search.h"

#define TERMS_MAX 48
#define NONCES_MAX 48
#define NONCE_FIXED 200 /* from here on a nonce keeps its name: a deliberate break needs it */
#define TIME_BIAS 100
#define TIME_NEVER 255

enum mode {
    MODE_TERMS,
    MODE_WRITE,
    MODE_READ,
    MODE_SHIFT,
    MODE_RENAME, /* nodes have changed places */
};

struct codec {
    enum mode mode;
    uint8_t *out;
    const uint8_t *in;
    unsigned n_terms, n_nonces;
    uint64_t terms[TERMS_MAX]; /* in their order */
    uint8_t nonces[NONCES_MAX];
    unsigned place[SEARCH_NODES_MAX]; /* to which each node moves */
    uint64_t life;                    /* of the server */
    int self; /* whose fields alone are written, so that names mean "me" or "another"; or -1 */
};

/* ---- clearing ---- */

static usec_t tick_of(usec_t t)
{
    return t / grid.tick * grid.tick;
}

/* What has happened, `old` ticks ago at most. */
static usec_t past(usec_t t, usec_t old)
{
    if (t == 0 || t == USEC_INFINITY)
        return t;
    return usec_max(tick_of(t), SEARCH_NOW(grid) - old * grid.tick);
}

/* What will be due: the first tick by which it is. A moment after a tick began is in it still. */
static usec_t future(usec_t t)
{
    if (t == USEC_INFINITY)
        return t;

    usec_t at = t - tick_of(t) < USEC_PER_MSEC ? tick_of(t) : tick_of(t) + grid.tick;

    return usec_max(at, SEARCH_NOW(grid));
}

static usec_t ticks(usec_t span)
{
    return (span + grid.tick - 1) / grid.tick;
}

/* Deadlines are compared with each other, so they all grow equally old. */
static usec_t past_deadline(usec_t t)
{
    return past(t, ticks(grid.budget.stop + grid.rest) + 1);
}

/* Times of questions and of the decisions they are compared with keep their order within a tick. */
static void tidy_stamps(struct node *n)
{
    usec_t *stamps[] = {&n->member.since, &n->member.host.asked_at, &n->member.started_at,
                        &n->look.asked_at};
    enum { N = sizeof stamps / sizeof stamps[0] };
    usec_t old = ticks(grid.budget.duration / 2 + USEC_PER_SEC) + 1, before = 0, last = 0;

    for (unsigned i = 1; i < N; i++)
        for (unsigned j = i; j > 0 && *stamps[j] < *stamps[j - 1]; j--) {
            usec_t *spare = stamps[j];

            stamps[j] = stamps[j - 1];
            stamps[j - 1] = spare;
        }
    for (unsigned i = 0; i < N; i++) {
        usec_t t = *stamps[i], tidy = past(t, old);

        if (t == 0)
            continue;
        if (t == before)
            tidy = last;
        else if (tick_of(last) == tidy)
            tidy = last + 1;
        before = t;
        last = *stamps[i] = tidy;
    }
}

static void tidy_term(struct member *m)
{
    bool lives = m->state == MEMBER_STARTING || m->state == MEMBER_LEADING ||
                 m->state == MEMBER_ADOPTING || m->state == MEMBER_ENDING;

    m->reason = REASON_NONE;
    m->failed_starts = 0; /* shorter waits: more can happen */
    m->term.deadline = past_deadline(m->term.deadline);
    m->end_sent_at = m->state == MEMBER_ENDING ? past(m->end_sent_at, 1) : 0;
    if (!lives)
        m->since = 0;
    if (m->state != MEMBER_STARTING) {
        m->started_at = 0;
        m->poll_at = 0;
    }
    m->poll_at = m->poll_at == 0 || m->poll_at == USEC_INFINITY ? m->poll_at : tick_of(m->poll_at);
    if (!m->claim_open)
        m->claim_nonce = (struct nonce){{0}};
}

/* Where all is known, nothing older matters: there is no other history. */
static void tidy_nonces(const struct world *w, struct member *m)
{
    struct nonces *n = &m->term.nonces;
    struct watch *v = &m->watch;

    if (n->complete)
        n->n = n->n_known;
    for (unsigned i = n->n; i < NONCES_REMEMBERED; i++)
        n->list[i] = (struct nonce){{0}};
    if (!n->has_acknowledged)
        n->acknowledged = (struct nonce){{0}};
    if (v->term != w->row.term) /* that one does not come back */
        *v = (struct watch){0};
    v->since = past(v->since, ticks(v->interval + v->interval / 4) + 1);
}

static void tidy_observation(struct member *m)
{
    usec_t lease = ticks(grid.budget.lease);

    m->namesake_changes = 0;
    m->stray_since = 0;
    m->stray_noted = false;
    m->pause = (struct pause_watch){0};
    m->pause_verdict = PAUSE_NONE;
    m->seen.since = m->seen.valid ? past(m->seen.since, lease) : 0;
    m->seen.at = m->seen.valid ? past(m->seen.at, lease / 2 + 1) : 0;
    if (!m->seen.valid && !m->in_flight)
        m->seen.record = (struct record){0};
    if (!m->has_notice)
        m->notice = (struct release_notice){0};
    if (!m->in_flight) {
        m->operation = OPERATION_OBSERVE;
        m->sent_fit = m->sent_notice = false;
        m->sent_nonce = (struct nonce){{0}};
    }
    if (m->in_flight || m->state == MEMBER_STARTING)
        m->sent_at = past(m->sent_at, ticks(grid.budget.lease) + 1);
    else
        m->sent_at = 0;
}

static void tidy_member(const struct world *w, struct node *n)
{
    struct member *m = &n->member;

    assert(broken || m->highest_term <= w->row.term);
    tidy_term(m);
    tidy_nonces(w, m);
    tidy_observation(m);
    m->due = member_due(m) == USEC_INFINITY && !m->in_flight ? SEARCH_NOW(grid) : future(m->due);
    m->not_before = m->not_before == 0 ? 0 : future(m->not_before);
    if (m->not_before == SEARCH_NOW(grid))
        m->not_before = 0;
    m->host.keeper_term = 0;
    m->host.keeper_ours = m->host.units_stay = false;
    m->host.keeper_lease = m->host.keeper_stop = m->host.keeper_duration = 0;
    m->host.keeper_deadline = 0;
    m->host.guards = (struct guards_seen){.state = GUARDS_WHOLE}; /* judged when it was new */
    tidy_stamps(n);
}

static void tidy_agent(struct node *n)
{
    struct witness *v = &n->witness;

    if (n->effect == 0)
        n->effect_paper = (struct paper){0};
    n->effect_paper.deadline = past_deadline(n->effect_paper.deadline);
    if (!n->looking)
        n->look = (struct host_state){0};
    if (!n->start_pending) {
        n->start_answer = START_UNANSWERED;
        n->start_time_up = false;
    }
    if (n->hint == PENDING_NO)
        n->notice = (struct release_notice){0};
    if (n->late_hint == PENDING_NO)
        n->late_notice = (struct release_notice){0};
    if (!v->seen)
        v->claimable = v->reconnected = false, v->life = 0, v->term = 0,
        v->nonce = (struct nonce){{0}}, v->since = v->last = 0;
    v->since = past(v->since, ticks(grid.budget.lease));
    v->last = past(v->last, ticks(grid.budget.lease) / 2 + 1);
    if (!v->was_notified)
        v->notice = (struct release_notice){0};
    if (v->acked_term == 0)
        v->acked_deadline = 0;
    v->acked_deadline = past_deadline(v->acked_deadline);
}

/* A message that no keeper will ever take, as terms stay and deadlines only grow. */
static bool is_void(const struct node *n, const struct message *m)
{
    const struct keeper *k = &n->keeper;

    if (m->pending != PENDING_LATE || broken)
        return false;
    return m->term != k->term || k->phase == KEEPER_ENDING ||
           (m->verb == KEEPER_EXTEND && m->deadline <= k->deadline);
}

static bool earlier(const struct message *a, const struct message *b)
{
    if (a->pending != b->pending)
        return a->pending > b->pending;
    if (a->verb != b->verb)
        return a->verb < b->verb;
    return a->term != b->term ? a->term < b->term : a->deadline < b->deadline;
}

static void tidy_messages(struct node *n)
{
    struct message *m = n->messages;

    for (unsigned i = 0; i < SEARCH_MESSAGES_MAX; i++) {
        if (is_void(n, &m[i]))
            m[i] = (struct message){0};
        m[i].deadline = past_deadline(m[i].deadline);
    }
    for (unsigned i = 1; i < SEARCH_MESSAGES_MAX; i++)
        for (unsigned j = i; j > 0 && earlier(&m[j], &m[j - 1]); j--) {
            struct message spare = m[j];

            m[j] = m[j - 1];
            m[j - 1] = spare;
        }
}

static void tidy_host(struct node *n)
{
    struct keeper *k = &n->keeper;

    if (!n->has_ticket)
        n->ticket = (struct paper){0};
    if (!n->has_state)
        n->state = (struct paper){0};
    if (!n->running && !n->keeper_alive)
        n->run = (struct paper){0};
    n->ticket.deadline = past_deadline(n->ticket.deadline);
    n->state.deadline = past_deadline(n->state.deadline);
    n->run.deadline = past_deadline(n->run.deadline);
    k->deadline = past_deadline(k->deadline);
    k->ended = past(k->ended, ticks(grid.budget.stop) + 1);
    n->killed_at = past(n->killed_at, ticks(grid.rest));
    n->stopped_at = n->outside && n->stop_begun ? past(n->stopped_at, ticks(grid.budget.stop)) : 0;
    n->watchdog_at = n->keeper_alive ? past(n->watchdog_at, 0) : 0;
    n->fence_kill_at = past(n->fence_kill_at, 0);
    if (!n->running)
        n->stop_begun = false;
    tidy_messages(n);
}

static void tidy_strays(struct world *w)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < SEARCH_STRAYS_MAX; i++) {
        struct exchange x = w->strays[i];

        w->strays[i] = (struct exchange){0};
        if (x.sent && !arbiter_is_void(w, &x))
            w->strays[kept++] = x;
    }
}

static void tidy(struct world *w)
{
    for (unsigned i = 0; i < grid.nodes; i++) {
        tidy_member(w, &w->nodes[i]);
        tidy_agent(&w->nodes[i]);
        tidy_host(&w->nodes[i]);
    }
    w->written_at = past(w->written_at, ticks(grid.budget.lease) + 1);
    tidy_strays(w);
}

/* ---- the visitor ---- */

static void put(struct codec *c, unsigned v)
{
    assert(v <= UINT8_MAX);
    *c->out++ = (uint8_t)v;
}

#define SMALL(c, field)                                                                            \
    do {                                                                                           \
        if ((c)->mode == MODE_WRITE)                                                               \
            put((c), (unsigned)(field));                                                           \
        else if ((c)->mode == MODE_READ)                                                           \
            (field) = (__typeof__(field))*(c)->in++;                                               \
    } while (0)

/* Eight conditions a byte. */
static void flags(struct codec *c, bool *const *f, unsigned n)
{
    for (unsigned byte = 0; byte < n; byte += 8) {
        unsigned v = 0;

        for (unsigned i = byte; i < n && i < byte + 8; i++)
            v |= (unsigned)*f[i] << (i - byte);
        SMALL(c, v);
        for (unsigned i = byte; c->mode == MODE_READ && i < n && i < byte + 8; i++)
            *f[i] = v >> (i - byte) & 1;
    }
}

#define FLAGS(c, ...)                                                                              \
    do {                                                                                           \
        bool *const f_[] = {__VA_ARGS__};                                                          \
        flags((c), f_, sizeof f_ / sizeof f_[0]);                                                  \
    } while (0)

static void visit_time(struct codec *c, usec_t *t)
{
    if (c->mode == MODE_SHIFT && *t != 0 && *t != USEC_INFINITY)
        *t -= grid.tick;
    if (c->mode == MODE_WRITE && *t != 0 && *t != USEC_INFINITY)
        put(c, (unsigned)(*t / grid.tick - SEARCH_NOW(grid) / grid.tick + TIME_BIAS));
    else if (c->mode == MODE_WRITE)
        put(c, *t == 0 ? 0 : TIME_NEVER);
    else if (c->mode == MODE_READ) {
        unsigned v = *c->in++;

        *t = v == 0            ? 0
             : v == TIME_NEVER ? USEC_INFINITY
                               : SEARCH_NOW(grid) + (usec_t)v * grid.tick - TIME_BIAS * grid.tick;
    }
}

static void visit_stamp(struct codec *c, usec_t *t)
{
    unsigned order = c->mode == MODE_WRITE ? (unsigned)(*t % grid.tick) : 0;

    visit_time(c, t);
    SMALL(c, order);
    if (c->mode == MODE_READ)
        *t += order;
}

static void note_term(struct codec *c, uint64_t term)
{
    unsigned i = 0;

    while (i < c->n_terms && c->terms[i] < term)
        i++;
    if (term == 0 || (i < c->n_terms && c->terms[i] == term))
        return;
    assert(c->n_terms < TERMS_MAX);
    memmove(&c->terms[i + 1], &c->terms[i], (c->n_terms - i) * sizeof c->terms[0]);
    c->terms[i] = term;
    c->n_terms++;
}

static unsigned rank_of(const struct codec *c, uint64_t term)
{
    unsigned i = 0;

    while (term > 0 && c->terms[i] != term)
        i++;
    return term == 0 ? 0 : i + 1;
}

static void visit_term(struct codec *c, uint64_t *term)
{
    if (c->mode == MODE_TERMS)
        note_term(c, *term);
    else if (c->mode == MODE_WRITE)
        put(c, rank_of(c, *term));
    else if (c->mode == MODE_READ) {
        unsigned v = *c->in++;

        *term = v == 0 ? 0 : ((uint64_t)SEARCH_TIMELINE << TERM_TIMELINE_SHIFT) + v;
    }
}

static unsigned name_of(struct codec *c, uint8_t nonce)
{
    if (nonce == 0 || nonce >= NONCE_FIXED)
        return nonce;
    for (unsigned i = 0; i < c->n_nonces; i++)
        if (c->nonces[i] == nonce)
            return i + 1;
    assert(c->n_nonces < NONCES_MAX);
    c->nonces[c->n_nonces++] = nonce;
    return c->n_nonces;
}

static void visit_nonce(struct codec *c, struct nonce *nonce)
{
    if (c->mode == MODE_WRITE)
        put(c, name_of(c, nonce->bytes[0]));
    else if (c->mode == MODE_READ) {
        *nonce = (struct nonce){{*c->in++}};
        if (nonce->bytes[0] < NONCE_FIXED && nonce->bytes[0] > c->n_nonces)
            c->n_nonces = nonce->bytes[0];
    }
}

/* "", or that of a node's present boot or of an earlier one. */
static void visit_owner(struct codec *c, char *owner)
{
    if (c->mode == MODE_RENAME && owner[0] != '\0')
        owner[0] = (char)('a' + c->place[owner[0] - 'a']);

    unsigned v = 0;

    if (owner[0] != '\0')
        v = (unsigned)(owner[0] - 'a') * 2 + (unsigned)(owner[2] - '0') + 1;
    if (c->self >= 0 && v > 0)
        v = owner[0] - 'a' == c->self ? (unsigned)(owner[2] - '0') + 1 : 3;
    SMALL(c, v);
    if (c->mode != MODE_READ)
        return;
    memset(owner, 0, OWNER_MAX + 1);
    if (v > 0) {
        owner[0] = (char)('a' + (v - 1) / 2);
        owner[1] = '/';
        owner[2] = (char)('0' + (v - 1) % 2);
    }
}

static void visit_record(struct codec *c, struct record *r)
{
    FLAGS(c, &r->clean, &r->claimable);
    visit_term(c, &r->term);
    visit_owner(c, r->owner);
    visit_nonce(c, &r->nonce);
    if (c->mode == MODE_READ) {
        r->lease = grid.budget.lease;
        r->stop = grid.budget.stop;
        r->duration = grid.budget.duration;
    }
}

static void visit_notice(struct codec *c, struct release_notice *t)
{
    visit_term(c, &t->term);
    visit_nonce(c, &t->nonce);
}

static void visit_paper(struct codec *c, struct paper *p)
{
    visit_term(c, &p->term);
    visit_time(c, &p->deadline);
    visit_owner(c, p->owner);
}

/* How many lives of the server ago. */
static void visit_life(struct codec *c, uint64_t *started)
{
    uint64_t ago = c->mode == MODE_WRITE ? c->life - *started : 0;

    SMALL(c, ago);
    if (c->mode == MODE_READ)
        *started = SEARCH_LIFE - ago;
}

/* In which life a claim was made does not matter. */
static void visit_history(struct codec *c, struct epoch *e)
{
    if (c->mode == MODE_READ)
        *e = (struct epoch){.system_id = 1, .timeline = SEARCH_TIMELINE};
}

static void visit_epoch(struct codec *c, struct epoch *e)
{
    visit_history(c, e);
    visit_life(c, &e->started);
}

static void visit_local(struct codec *c, struct host_state *l)
{
    bool bare = l->guards.state == GUARDS_BARE;

    SMALL(c, l->keeper);
    FLAGS(c, &l->keeper_queued, &l->keeper_ours, &l->units_dead, &l->slice_empty, &l->guarded,
          &l->guards.outside, &bare);
    visit_term(c, &l->keeper_term);
    visit_time(c, &l->keeper_deadline);
    visit_stamp(c, &l->asked_at);
    if (c->mode == MODE_READ) {
        l->guards.state = bare ? GUARDS_BARE : GUARDS_WHOLE;
        l->guards.asked_at = l->asked_at;
    }
    if (c->mode == MODE_READ && l->keeper_term > 0) {
        l->keeper_lease = grid.budget.lease;
        l->keeper_stop = grid.budget.stop;
        l->keeper_duration = grid.budget.duration;
    }
}

static void visit_nonces(struct codec *c, struct nonces *n)
{
    FLAGS(c, &n->complete, &n->certain, &n->has_acknowledged);
    visit_nonce(c, &n->acknowledged);
    SMALL(c, n->n);
    SMALL(c, n->n_known);
    for (unsigned i = 0; i < n->n; i++)
        visit_nonce(c, &n->list[i]);
    if (n->n > 0)
        visit_epoch(c, &n->epoch);
}

static void visit_watch(struct codec *c, struct watch *v)
{
    visit_term(c, &v->term);
    if (c->mode != MODE_TERMS && v->term == 0)
        return;
    visit_nonce(c, &v->nonce);
    visit_epoch(c, &v->epoch);
    visit_time(c, &v->since);
    SMALL(c, v->changes);
    if (c->mode == MODE_READ)
        v->interval = grid.budget.poll;
}

static void visit_member_term(struct codec *c, struct member *m)
{
    bool spans = m->term.cover.duration > 0;

    FLAGS(c, &spans, &m->term.release, &m->claim_open);
    /* All have one lease: what is known of another one says nothing. */
    if (c->mode == MODE_READ && spans) {
        m->term.cover = (struct cover){.lease = grid.budget.lease,
                                       .duration = grid.budget.duration,
                                       .kept = grid.budget.lease};
        m->term.stop = grid.budget.stop;
    }
    visit_stamp(c, &m->since);
    visit_term(c, &m->term.number);
    visit_time(c, &m->term.deadline);
    if (c->mode == MODE_READ && spans)
        m->term.cover.until = m->term.deadline;
    visit_nonces(c, &m->term.nonces);
    visit_watch(c, &m->watch);
    SMALL(c, m->term.adopted_by);
    visit_term(c, &m->over_term);
    visit_nonce(c, &m->claim_nonce);
    visit_history(c, &m->claim_epoch);
    visit_stamp(c, &m->started_at);
    visit_time(c, &m->poll_at);
    visit_time(c, &m->end_sent_at);
}

static void visit_member(struct codec *c, struct member *m)
{
    SMALL(c, m->state);
    FLAGS(c, &m->stopping, &m->seen.valid, &m->in_flight, &m->sent_fit, &m->has_notice,
          &m->sent_notice, &m->hinted);
    visit_member_term(c, m);
    if (m->seen.valid || m->in_flight) {
        visit_record(c, &m->seen.record);
        visit_history(c, &m->seen.epoch);
        if (m->seen.valid)
            visit_life(c, &m->seen.epoch.started);
        visit_time(c, &m->seen.since);
        visit_time(c, &m->seen.at);
        SMALL(c, m->operation);
        visit_nonce(c, &m->sent_nonce);
    }
    visit_time(c, &m->sent_at);
    visit_notice(c, &m->notice);
    visit_local(c, &m->host);
    visit_time(c, &m->due);
    visit_time(c, &m->not_before);
}

static void visit_request(struct codec *c, struct request *q)
{
    SMALL(c, q->operation);
    FLAGS(c, &q->rests_on_clean);
    visit_term(c, &q->term);
    visit_term(c, &q->expected_term);
    visit_nonce(c, &q->expected_nonce);
    SMALL(c, q->n_known);
    for (unsigned i = 0; i < q->n_known; i++)
        visit_nonce(c, &q->known[i]);
    visit_nonce(c, &q->fresh_nonce);
    if (q->operation == OPERATION_CLAIM)
        visit_epoch(c, &q->epoch);
    if (c->mode == MODE_READ) {
        q->lease = grid.budget.lease;
        q->stop = grid.budget.stop;
        q->duration = grid.budget.duration;
    }
}

/* Longer than a lease is as good as a lease. */
static void visit_age(struct codec *c, usec_t *age)
{
    usec_t v = usec_min(*age, grid.budget.lease + grid.tick) / grid.tick;

    SMALL(c, v);
    if (c->mode == MODE_READ)
        *age = v * grid.tick;
}

static void visit_exchange(struct codec *c, struct exchange *x)
{
    FLAGS(c, &x->sent, &x->answered, &x->late, &x->stale);
    if (x->sent && c->mode == MODE_RENAME)
        x->node = c->place[x->node];
    if (x->sent) {
        if (c->self < 0)
            SMALL(c, x->node);
        visit_owner(c, x->owner);
        visit_request(c, &x->request);
        FLAGS(c, &x->orphan);
        if (x->request.operation == OPERATION_CLAIM || x->orphan)
            visit_age(c, &x->age);
    }
    if (x->answered) {
        SMALL(c, x->reply.outcome);
        FLAGS(c, &x->reply.has_record);
        visit_record(c, &x->reply.record);
        visit_epoch(c, &x->reply.epoch);
    }
}

static void visit_agent(struct codec *c, struct node *n)
{
    SMALL(c, n->effect);
    FLAGS(c, &n->connected, &n->stalled, &n->look_wanted, &n->looking, &n->start_pending,
          &n->start_time_up);
    SMALL(c, n->start_answer);
    SMALL(c, n->hint);
    SMALL(c, n->late_hint);
    visit_member(c, &n->member);
    visit_exchange(c, &n->x);
    if (n->effect > 0)
        visit_paper(c, &n->effect_paper);
    if (n->looking)
        visit_local(c, &n->look);
    if (n->hint != PENDING_NO)
        visit_notice(c, &n->notice);
    if (n->late_hint != PENDING_NO)
        visit_notice(c, &n->late_notice);
}

static void visit_witness(struct codec *c, struct witness *v)
{
    FLAGS(c, &v->seen, &v->claimable, &v->was_notified, &v->reconnected);
    if (v->seen)
        visit_life(c, &v->life);
    visit_term(c, &v->term);
    visit_nonce(c, &v->nonce);
    visit_time(c, &v->since);
    visit_time(c, &v->last);
    visit_notice(c, &v->notice);
    visit_term(c, &v->acked_term);
    visit_time(c, &v->acked_deadline);
    visit_term(c, &v->own_term);
    visit_term(c, &v->released_term);
    visit_term(c, &v->ticketed_term);
}

static void visit_messages(struct codec *c, struct node *n)
{
    for (unsigned i = 0; i < SEARCH_MESSAGES_MAX; i++) {
        struct message *m = &n->messages[i];

        SMALL(c, m->pending);
        if (m->pending == PENDING_NO)
            return; /* they are in order */
        SMALL(c, m->verb);
        visit_term(c, &m->term);
        visit_time(c, &m->deadline);
    }
}

static void visit_keeper(struct codec *c, struct node *n)
{
    struct keeper *k = &n->keeper;

    SMALL(c, k->phase);
    visit_term(c, &k->term);
    visit_time(c, &k->deadline);
    visit_time(c, &k->ended);
    visit_time(c, &n->watchdog_at);
    if (c->mode == MODE_READ) {
        k->reason = k->phase == KEEPER_ENDING ? KEEPER_END_AGENT : KEEPER_END_NONE;
        k->lease = grid.budget.lease;
        k->stop = grid.budget.stop + (broken == BREAK_KEEPER_KILLS_LATE ? 2 * grid.tick : 0);
        k->duration = grid.budget.duration;
    }
    visit_messages(c, n);
}

static void visit_host(struct codec *c, struct node *n)
{
    FLAGS(c, &n->alive, &n->retired, &n->start_queued, &n->has_ticket, &n->stop_queued,
          &n->keeper_alive, &n->frozen, &n->has_state, &n->running, &n->stop_begun, &n->bare,
          &n->outside);
    SMALL(c, n->start);
    SMALL(c, n->units_start);
    SMALL(c, n->unit);
    if (n->has_ticket)
        visit_paper(c, &n->ticket);
    if (n->has_state)
        visit_paper(c, &n->state);
    if (n->running || n->keeper_alive)
        visit_paper(c, &n->run);
    if (n->keeper_alive)
        visit_keeper(c, n);
    if (n->unit == UNIT_DEACTIVATING)
        visit_time(c, &n->fence_kill_at);
    if (n->outside)
        visit_time(c, &n->stopped_at);
    visit_time(c, &n->killed_at);
    visit_witness(c, &n->witness);
}

/* A node without an agent has nothing of the one it had. */
static void visit_node(struct codec *c, struct node *n)
{
    visit_host(c, n);
    if (n->alive)
        visit_agent(c, n);
}

static void visit(struct codec *c, struct world *w)
{
    SMALL(c, w->deviations);
    SMALL(c, w->orders);
    SMALL(c, w->skew);
    visit_record(c, &w->row);
    visit_time(c, &w->written_at);
    visit_term(c, &w->started_term);
    for (unsigned i = 0; i < SEARCH_STRAYS_MAX; i++)
        visit_exchange(c, &w->strays[i]);
    for (unsigned i = 0; i < grid.nodes; i++)
        visit_node(c, &w->nodes[i]);
}

/* ---- nodes are alike ---- */

struct face {
    unsigned node;
    size_t length;
    uint8_t bytes[SEARCH_PACKED_MAX];
};

static bool before(const struct face *a, const struct face *b)
{
    return a->length != b->length ? a->length < b->length
                                  : memcmp(a->bytes, b->bytes, a->length) < 0;
}

static void draw(const struct codec *terms, struct node *n, unsigned i, struct face *ret)
{
    struct codec c = *terms;

    c.mode = MODE_WRITE;
    c.self = (int)i;
    c.out = ret->bytes;
    ret->node = i;
    visit_node(&c, n);
    ret->length = (size_t)(c.out - ret->bytes);
}

static void change_places(struct world *w, const struct face *faces)
{
    static struct node nodes[SEARCH_NODES_MAX];
    struct codec c = {.mode = MODE_RENAME, .self = -1};

    memcpy(nodes, w->nodes, sizeof nodes);
    for (unsigned i = 0; i < grid.nodes; i++) {
        w->nodes[i] = nodes[faces[i].node];
        c.place[faces[i].node] = i;
    }
    visit(&c, w);
    for (unsigned i = 0; i < grid.nodes; i++)
        w->nodes[i].owner[0] = w->nodes[i].member.owner[0] = (char)('a' + i);
}

/* No node differs from another but in what it is doing, so states that differ in who does it are
 * one. In which order nodes stand does not matter for that, as long as it is always the same one:
 * here that of what each of them looks like by itself. Nodes that look alike may stand either way;
 * then two states are looked at where one would do. */
static void sort_nodes(struct world *w, const struct codec *terms)
{
    static struct face faces[SEARCH_NODES_MAX];
    static struct face spare;
    bool sorted = true;

    for (unsigned i = 0; i < grid.nodes; i++)
        draw(terms, &w->nodes[i], i, &faces[i]);
    for (unsigned i = 1; i < grid.nodes; i++)
        for (unsigned j = i; j > 0 && before(&faces[j], &faces[j - 1]); j--) {
            spare = faces[j];
            faces[j] = faces[j - 1];
            faces[j - 1] = spare;
            sorted = false;
        }
    if (!sorted)
        change_places(w, faces);
}

/* ---- all of it ---- */

size_t pack(struct world *w, uint8_t *ret)
{
    struct codec c = {.mode = MODE_TERMS, .self = -1, .life = w->life};

    tidy(w);
    visit(&c, w);
    sort_nodes(w, &c);
    c.mode = MODE_WRITE;
    c.out = ret;
    visit(&c, w);
    assert((size_t)(c.out - ret) <= SEARCH_PACKED_MAX);
    return (size_t)(c.out - ret);
}

void unpack(const uint8_t *packed, struct world *ret)
{
    struct codec c = {.mode = MODE_READ, .in = packed, .self = -1};

    *ret = (struct world){.life = SEARCH_LIFE};
    world_begin_members(ret);
    visit(&c, ret);
    ret->next_nonce = (uint8_t)(c.n_nonces + 1);
    for (unsigned i = 0; i < grid.nodes; i++) {
        struct node *n = &ret->nodes[i];

        n->member.highest_term = ret->row.term; /* never more, and less would make no difference */
        if (n->alive)
            n->member.budget = grid.budget;
    }
}

void shift_node(struct node *n)
{
    struct codec c = {.mode = MODE_SHIFT, .self = -1};

    visit_node(&c, n);
}

void shift_true(struct world *w)
{
    struct codec c = {.mode = MODE_SHIFT, .self = -1};

    visit_time(&c, &w->written_at);
}
