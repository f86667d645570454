/* SPDX-License-Identifier: Apache-2.0 */
/* The arbiter: a row for each group and a lock beside it, with the conditions of
 * agent/arbiter/schema.sql. A tick is one transaction: what it writes is locked from its execution
 * until its commit is durable; until then nobody sees it, and it may still be lost. Locks are taken
 * and let go at once, as PostgreSQL's are, and end with their session. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define LIES_PERMILLE 10
#define NOTICE_USEC (5 * USEC_PER_MSEC) /* until the server sees that a connection was closed */
#define SLOW_NOTICE_PERMILLE 200

static struct nonce random_nonce(struct world *w)
{
    struct nonce n;

    for (size_t i = 0; i < sizeof n.bytes; i++)
        n.bytes[i] = (uint8_t)sim_random(w);
    return n;
}

void server_begin(struct world *w)
{
    w->servers[0] = (struct server){.epoch = {.system_id = 7000, .timeline = 1}, .era = ++w->eras};
    w->servers[0].epoch.started = w->eras;
}

bool server_named(const struct request *q, const struct nonce *nonce)
{
    for (unsigned i = 0; i < q->n_known; i++)
        if (nonce_equal(&q->known[i], nonce))
            return true;
    return false;
}

static struct row *row_of(struct world *w, const struct exchange *x)
{
    return &w->servers[x->server].rows[w->nodes[x->node].group];
}

static struct host *host_of(struct world *w, const struct exchange *x)
{
    return w->nodes[x->node].host;
}

static bool clean_here(const struct world *w, const struct server *s, const struct row *t)
{
    return t->now.record.clean && (history_equal(&t->now.epoch, &s->epoch) ||
                                   w->mutation == MUTATION_CLEAN_ACROSS_TIMELINES);
}

/* ---- sessions and their locks ---- */

static bool locked_by(const struct row *t, const struct host *h, const struct exchange *x)
{
    return t->lock.held && t->lock.host == h->index && t->lock.connection == x->connection;
}

static void unlock(struct row *t)
{
    t->lock = (struct lock){0};
}

static void end_session(struct world *w, struct server *s, uint8_t host, uint32_t connection)
{
    struct host *h = &w->hosts[host];

    for (unsigned g = 0; g < w->n_groups; g++)
        if (s->rows[g].lock.held && s->rows[g].lock.host == host &&
            s->rows[g].lock.connection == connection) {
            unlock(&s->rows[g]);
            w->coverage->locks_lost++;
        }
    s->ended[host] = connection;
    if (h->connected && h->connection == connection)
        agent_push_host(w, h, AGENT_RESET, sim_between(w, 50, 3000), 0);
}

/* Sessions that are over by now: their client went away, or said nothing for too long. */
static void end_sessions(struct world *w, struct server *s)
{
    for (unsigned g = 0; g < w->n_groups; g++) {
        const struct lock *l = &s->rows[g].lock;

        if (l->held &&
            (l->over_at <= w->now || (l->bound > 0 && usec_add(l->active_at, l->bound) <= w->now)))
            end_session(w, s, l->host, l->connection);
    }
}

void server_lost_client(struct world *w, const struct host *h)
{
    struct server *s = &w->servers[h->server];
    /* Cut off, or without power: nobody says good-bye. */
    bool silent = w->now < h->cut_until || !h->alive || sim_chance(w, SLOW_NOTICE_PERMILLE);

    for (unsigned g = 0; g < w->n_groups; g++) {
        struct lock *l = &s->rows[g].lock;

        if (l->held && l->host == h->index && l->connection == h->connection)
            l->over_at = silent && l->bound > 0 ? usec_max(usec_add(l->active_at, l->bound), w->now)
                                                : w->now + sim_between(w, 50, NOTICE_USEC);
    }
}

/* tenure.lock_1(): takes it or says no; an earlier session of the same agent is ended. */
static bool take_lock(struct world *w, struct row *t, const struct exchange *x, usec_t done)
{
    const struct host *h = host_of(w, x);

    if (!t->lock.held) {
        t->lock = (struct lock){.held = true,
                                .host = h->index,
                                .connection = x->connection,
                                .over_at = x->given_up ? done + NOTICE_USEC : USEC_INFINITY};
        memcpy(t->lock.owner, x->owner, sizeof t->lock.owner);
        return true;
    }
    w->coverage->locks_in_the_way++;
    if (strcmp(t->lock.owner, x->owner) == 0)
        t->lock.over_at = usec_min(t->lock.over_at, w->now + sim_between(w, 50, NOTICE_USEC));
    return false;
}

static void session_was_active(struct world *w, struct server *s, const struct exchange *x,
                               usec_t until)
{
    for (unsigned g = 0; g < w->n_groups; g++)
        if (locked_by(&s->rows[g], host_of(w, x), x)) {
            s->rows[g].lock.active_at = until;
            s->rows[g].lock.bound = x->bound;
        }
}

/* ---- answers ---- */

static void reply_with_row(struct world *w, struct exchange *x, enum outcome outcome)
{
    const struct server *s = &w->servers[x->server];
    const struct row *t = row_of(w, x);

    x->reply = (struct reply){.outcome = outcome, .epoch = s->epoch};
    if (outcome == OUTCOME_UNKNOWN || !t->exists)
        return;
    x->reply.has_record = true;
    x->reply.record = t->now.record;
    x->reply.record.claimable = clean_here(w, s, t);
}

static void answer(struct world *w, uint32_t first)
{
    struct exchange *x = sim_exchange(w, first);
    const struct host *h = host_of(w, x);
    const struct server *s = &w->servers[x->server];
    usec_t delay = sim_chance(w, w->slow_permille) ? sim_between(w, 0, 3 * USEC_PER_SEC)
                                                   : sim_between(w, 100, 2000);

    if (x->request.operation == OPERATION_CONFIRM_DEAD) {
        if (!sim_chance(w, w->lost_permille))
            sim_push(w, (struct sim_event){
                            .at = w->now + delay, .kind = WORLD_CONFIRM_ANSWER, .number = first});
        return;
    }
    for (uint32_t i = 0; i < x->n; i++)
        sim_exchange(w, first + i)->reply.arbiter_time = SIM_WALL_USEC + w->now + s->clock_set;
    if ((x->given_up || x->connection != h->connection) &&
        w->mutation != MUTATION_STALE_REPLY_BELIEVED)
        return;
    if (sim_chance(w, w->lost_permille))
        return;
    sim_push(w, (struct sim_event){.at = w->now + delay,
                                   .kind = AGENT_ANSWER,
                                   .node = sim_nodes(w, h)->index,
                                   .life = x->life,
                                   .number = first});
}

/* ---- the conditions ---- */

static void observe(struct world *w, struct exchange *x)
{
    const struct server *s = &w->servers[x->server];
    const struct request *q = &x->request;
    struct row *t = row_of(w, x);

    if (!t->exists) {
        t->exists = true;
        t->now = (struct version){.record = {.nonce = random_nonce(w),
                                             .lease = q->lease,
                                             .stop = q->stop,
                                             .duration = q->duration},
                                  .epoch = s->epoch,
                                  .method = q->method};
        t->written_at = w->now;
    }
    reply_with_row(w, x, OUTCOME_GRANTED);
}

static bool quarantine_is_over(const struct world *w, const struct row *t, const struct exchange *x)
{
    return x->request.method == METHOD_LEASE || w->mutation == MUTATION_QUARANTINE_SKIPPED ||
           x->waited >= usec_max(t->now.record.lease, x->request.lease);
}

/* Not observed for a lease: then it must be clean, and made in this very history. So must a row of
 * the other method, unless nobody ever claimed it. */
static bool may_follow(const struct world *w, const struct server *s, const struct row *t,
                       const struct exchange *x)
{
    bool same_method = t->now.method == x->request.method || t->now.record.owner[0] == '\0' ||
                       w->mutation == MUTATION_OTHER_METHOD_IGNORED;

    if (clean_here(w, s, t) || w->mutation == MUTATION_CLEAN_UNTESTED)
        return true;
    return !x->request.rests_on_clean && same_method && quarantine_is_over(w, t, x);
}

static bool same_life(const struct world *w, const struct epoch *a, const struct epoch *b)
{
    return w->mutation == MUTATION_CLAIM_OF_ANOTHER_LIFE ? history_equal(a, b) : epoch_equal(a, b);
}

/* The row as it shall be; false: the condition does not hold. */
static bool claim(const struct world *w, const struct server *s, const struct row *t,
                  const struct exchange *x, struct version *ret)
{
    const struct request *q = &x->request;
    const struct record *r = &t->now.record;
    bool unchanged =
        t->exists && r->term == q->expected_term &&
        (w->mutation == MUTATION_CLAIM_IGNORES_NONCE || nonce_equal(&r->nonce, &q->expected_nonce));

    if (!unchanged || !same_life(w, &q->epoch, &s->epoch) || !may_follow(w, s, t, x))
        return false;

    uint64_t term = usec_max(r->term + 1, (s->epoch.timeline << 32) + 1);

    term = usec_max(term, q->term_floor);
    if (w->mutation == MUTATION_TERM_NOT_RAISED && r->term > 0)
        term = r->term;
    *ret = (struct version){.record = {.term = term,
                                       .nonce = q->fresh_nonce,
                                       .lease = q->lease,
                                       .stop = q->stop,
                                       .duration = q->duration},
                            .epoch = s->epoch,
                            .method = q->method};
    memcpy(ret->record.owner, x->owner, sizeof ret->record.owner);
    return true;
}

/* As it was watched, for the operator who vouches for its owner: the method stays, and who may
 * follow. */
static bool confirm_dead(const struct world *w, const struct server *s, const struct row *t,
                         const struct exchange *x, struct version *ret)
{
    const struct request *q = &x->request;
    const struct record *r = &t->now.record;

    if (!t->exists || r->clean || !r->owner[0] || r->term != q->expected_term ||
        !nonce_equal(&r->nonce, &q->expected_nonce) || !epoch_equal(&q->epoch, &s->epoch))
        return false;

    uint64_t term = usec_max(r->term + 1, (s->epoch.timeline << 32) + 1);

    *ret = (struct version){.record = {.term = usec_max(term, q->term_floor),
                                       .nonce = q->fresh_nonce,
                                       .lease = q->lease,
                                       .stop = q->stop,
                                       .duration = q->duration,
                                       .clean = w->mutation == MUTATION_CONFIRMED_CLEAN},
                            .epoch = s->epoch,
                            .method = t->now.method};
    if (w->mutation == MUTATION_CONFIRMED_IN_THE_OLD_TERM)
        ret->record.term = r->term;
    return true;
}

/* Of this term and owner, and not clean. */
static bool is_theirs(const struct row *t, const struct exchange *x)
{
    const struct record *r = &t->now.record;

    return t->exists && r->term == x->request.term && strcmp(r->owner, x->owner) == 0 && !r->clean;
}

static bool renew(const struct world *w, const struct row *t, const struct exchange *x,
                  struct version *ret)
{
    const struct record *r = &t->now.record;
    bool named =
        server_named(&x->request, &r->nonce) || w->mutation == MUTATION_RENEWS_BY_ANY_NONCE;
    bool ours = is_theirs(t, x) && named;

    if (!t->exists || r->clean || (!ours && w->mutation != MUTATION_RENEWS_ANYBODYS) ||
        t->now.method != x->request.method)
        return false;
    *ret = t->now;
    ret->record.nonce = x->request.fresh_nonce;
    ret->record.lease = x->request.lease;
    ret->record.duration = x->request.duration;
    return true;
}

static bool release(const struct world *w, const struct row *t, const struct exchange *x,
                    struct version *ret)
{
    const struct request *q = &x->request;
    const struct record *r = &t->now.record;
    bool term = r->term == q->term || w->mutation == MUTATION_RELEASE_IGNORES_TERM;
    bool nonce = server_named(q, &r->nonce) || w->mutation == MUTATION_RELEASE_IGNORES_NONCE ||
                 w->mutation == MUTATION_RELEASE_IGNORES_TERM;

    if (!t->exists || !term || !nonce || strcmp(r->owner, x->owner) != 0)
        return false;
    *ret = t->now;
    ret->record.clean = true;
    return true;
}

static bool wanted(const struct world *w, const struct server *s, const struct row *t,
                   const struct exchange *x, struct version *ret)
{
    switch (x->request.operation) {
    case OPERATION_CLAIM:
        return claim(w, s, t, x, ret);
    case OPERATION_RENEW:
        return renew(w, t, x, ret);
    case OPERATION_RELEASE:
        return release(w, t, x, ret);
    case OPERATION_CONFIRM_DEAD:
        return confirm_dead(w, s, t, x, ret);
    case OPERATION_OBSERVE:
        return false;
    }
    return false;
}

/* What is not granted is denied, but for a renewal or release that names no nonce that is there. */
static enum outcome refusal(const struct row *t, const struct exchange *x)
{
    const struct request *q = &x->request;
    bool keyed = q->operation == OPERATION_RELEASE ||
                 (q->operation == OPERATION_RENEW && t->now.method == q->method);

    return keyed && is_theirs(t, x) && !server_named(q, &t->now.record.nonce) ? OUTCOME_OTHER_NONCE
                                                                              : OUTCOME_DENIED;
}

/* Of the one who is confirmed dead, if it has the lock. */
static void end_session_of_leader(struct world *w, struct server *s, const struct row *t)
{
    const struct lock *l = &t->lock;

    if (t->now.method != METHOD_ADVISORY || !l->held || strcmp(l->owner, t->now.record.owner) != 0)
        return;
    w->coverage->words_ended_sessions++;
    end_session(w, s, l->host, l->connection);
}

/* May it be written, and if so, is the lock there that the method asks for? */
static enum outcome judge(struct world *w, struct server *s, struct row *t,
                          const struct exchange *x, usec_t done, struct version *ret)
{
    bool busy = t->writing || w->now < t->locked_until; /* SKIP LOCKED */
    bool held = locked_by(t, host_of(w, x), x);

    if (!wanted(w, s, t, x, ret)) {
        if (w->mutation == MUTATION_CLEAN_IN_QUARANTINE && !busy && t->exists &&
            x->request.operation == OPERATION_CLAIM && !quarantine_is_over(w, t, x))
            t->now.record.clean = true;
        return refusal(t, x);
    }
    if (x->request.operation == OPERATION_CONFIRM_DEAD) {
        if (!busy)
            end_session_of_leader(w, s, t);
        return busy ? OUTCOME_UNKNOWN : OUTCOME_GRANTED;
    }
    if (x->request.method == METHOD_LEASE || w->mutation == MUTATION_LOCK_NOT_ASKED_FOR)
        return busy ? OUTCOME_UNKNOWN : OUTCOME_GRANTED;
    switch (x->request.operation) {
    case OPERATION_CLAIM: /* the lock first: it is let go again when the row is busy */
        if (!held && !take_lock(w, t, x, done))
            return OUTCOME_DENIED;
        return busy ? OUTCOME_UNKNOWN : OUTCOME_GRANTED;
    case OPERATION_RENEW:
        if (busy || (!held && !take_lock(w, t, x, done)))
            return OUTCOME_UNKNOWN;
        w->coverage->locks_retaken += !held;
        return OUTCOME_GRANTED;
    case OPERATION_RELEASE:
        if (busy)
            return OUTCOME_UNKNOWN;
        if (!held) /* by an earlier session: it must not keep others from what is clean */
            (void)take_lock(w, t, x, done);
        return OUTCOME_GRANTED;
    case OPERATION_CONFIRM_DEAD:
    case OPERATION_OBSERVE:
        break;
    }
    return OUTCOME_DENIED;
}

/* Is anything to be committed? */
static bool execute_one(struct world *w, struct server *s, uint32_t number, usec_t done)
{
    struct exchange *x = sim_exchange(w, number);
    struct row *t = row_of(w, x);
    struct version v = {0};
    enum outcome outcome = OUTCOME_GRANTED;

    if (x->request.operation == OPERATION_OBSERVE)
        observe(w, x);
    else {
        outcome = judge(w, s, t, x, done, &v);
        reply_with_row(w, x, outcome);
    }

    bool writes = outcome == OUTCOME_GRANTED && x->request.operation != OPERATION_OBSERVE;
    const struct version *after = writes ? &v : &t->now;

    x->locked = locked_by(t, host_of(w, x), x);
    /* The lock goes with the row: it is nobody's who does not stand in there. */
    if (x->locked && (strcmp(after->record.owner, x->owner) != 0 || after->record.clean ||
                      after->method != METHOD_ADVISORY))
        unlock(t);
    x->held = locked_by(t, host_of(w, x), x);
    if (writes) {
        t->pending = v;
        t->writing = true;
        t->writer = number;
    }
    return writes;
}

static usec_t commit_delay(struct world *w)
{
    return sim_chance(w, w->slow_permille) ? sim_between(w, 0, 5 * USEC_PER_SEC)
                                           : sim_between(w, 100, 3000);
}

void server_execute(struct world *w, uint32_t first)
{
    struct exchange *x = sim_exchange(w, first);
    struct server *s = &w->servers[x->server];
    usec_t done = w->now + commit_delay(w);
    bool writes = false;

    /* Era 0: the second primary is gone, and a host that was connected to it does not know yet. */
    if (s->era == 0 || x->era != s->era || w->now < s->down_until)
        return;
    end_sessions(w, s);
    if (x->connection <= s->ended[host_of(w, x)->index])
        return;        /* its end is on its way */
    if (x->given_up) { /* the bytes were in the socket before the end was */
        if (sim_chance(w, 300))
            return;
        w->coverage->late_applied++;
    }
    w->coverage->ticks += x->n > 1;
    for (unsigned g = 0; g < w->n_groups; g++)
        if ((x->drop & 1u << g) && locked_by(&s->rows[g], host_of(w, x), x))
            unlock(&s->rows[g]);
    for (uint32_t i = 0; i < x->n; i++)
        writes = execute_one(w, s, first + i, done) || writes;
    session_was_active(w, s, x, writes ? done : w->now);
    if (writes)
        sim_push(
            w, (struct sim_event){.at = done, .kind = SERVER_COMMIT, .number = first, .a = s->era});
    else
        answer(w, first);
}

/* ---- notifications ---- */

/* Most come with what the exchange left behind, for the claim. */
static void hint_all(struct world *w, const struct exchange *about, uint32_t number)
{
    const struct exchange *x = sim_exchange(w, number);

    for (unsigned i = 0; i < w->n_nodes; i++) {
        const struct node *n = &w->nodes[i];

        if (n->group == w->nodes[about->node].group && n->host->connected &&
            n->host->server == about->server && !sim_chance(w, w->lost_permille))
            sim_push(w, (struct sim_event){.at = w->now + sim_between(w, 50, 3000),
                                           .kind = AGENT_HINT,
                                           .node = (uint8_t)i,
                                           .life = n->host->life,
                                           .number = number,
                                           .a = x->reply.has_record && !sim_chance(w, 100),
                                           .b = n->host->connection});
    }
}

/* Everybody in the database may send notifications: of what was not given back, or is long past. */
static void lie(struct world *w, const struct exchange *about, uint32_t number)
{
    w->coverage->lies++;
    hint_all(w, about, sim_chance(w, 300) ? (uint32_t)sim_below(w, w->n_exchanges) : number);
}

/* ---- commits ---- */

static void remember(struct row *t)
{
    if (t->n_older == SIM_VERSIONS)
        memmove(&t->older[0], &t->older[1], (SIM_VERSIONS - 1) * sizeof t->older[0]);
    else
        t->n_older++;
    t->older[t->n_older - 1] = t->now;
}

static const char *const operation_names[] = {
    [OPERATION_OBSERVE] = "look",
    [OPERATION_CLAIM] = "claim",
    [OPERATION_RENEW] = "renewal",
    [OPERATION_RELEASE] = "release",
    [OPERATION_CONFIRM_DEAD] = "operator's word",
};

static void make_durable(struct world *w, struct server *s, struct row *t)
{
    const struct exchange *x = sim_exchange(w, t->writer);

    if (x->request.method == METHOD_ADVISORY)
        checker_locked(w, x);
    if (x->request.operation == OPERATION_CLAIM)
        checker_claimed(w, x, t, s);
    if (x->request.operation == OPERATION_CONFIRM_DEAD)
        confirm_committed(w, x, t, s);
    if (x->request.operation == OPERATION_RENEW)
        checker_renewed(w, x);
    if (x->request.operation == OPERATION_RELEASE)
        checker_released(w, x, t);
    else
        t->written_at = w->now;
    if (x->given_up)
        w->coverage->unknown_applied++;
    sim_exchange(w, t->writer)->zombie =
        s == &w->servers[0] && w->servers[1].era > 0 ? w->forks : 0;
    remember(t);
    t->now = t->pending;
    t->now.written_at = w->now;
    t->writing = false;
    if (x->request.operation == OPERATION_CLAIM || x->request.operation == OPERATION_RENEW)
        checker_written(w, x, &t->now.record);
    sim_trace(w, w->nodes[x->node].host, "g%u COMMIT %s term %" PRIu64, w->nodes[x->node].group,
              operation_names[x->request.operation], t->now.record.term);
}

static void commit_one(struct world *w, struct server *s, uint32_t number)
{
    struct exchange *x = sim_exchange(w, number);
    struct row *t = row_of(w, x);

    if (!t->writing || t->writer != number)
        return;
    make_durable(w, s, t);
    reply_with_row(w, x, OUTCOME_GRANTED);
    if (x->request.operation == OPERATION_RELEASE)
        hint_all(w, x, number);
    else if (sim_chance(w, LIES_PERMILLE))
        lie(w, x, number);
}

void server_commit(struct world *w, const struct sim_event *h)
{
    const struct exchange *x = sim_exchange(w, h->number);
    struct server *s = &w->servers[x->server];

    if (h->a != s->era)
        return;
    for (uint32_t i = 0; i < x->n; i++)
        commit_one(w, s, h->number + i);
    answer(w, h->number);
}

/* ---- what happens to servers ---- */

void server_new_era(struct world *w, struct server *s)
{
    for (unsigned g = 0; g < w->n_groups; g++) {
        struct row *t = &s->rows[g];

        if (t->writing && sim_chance(w, 500))
            make_durable(w, s, t);
        else if (w->mutation == MUTATION_COMMITS_LOST && t->n_older > 0)
            t->now = t->older[t->n_older - 1];
        t->writing = false;
        t->locked_until = 0;
        unlock(t);
    }
    s->era = ++w->eras;
    s->epoch.started = s->era;
    s->began = w->now;
}

/* Nobody who goes by `before` waits for the lease of the last version: but a renewal that made it
 * longer may be lost, as long as nobody goes by that yet. docs/safety.md says for how long. */
static bool shorter_may_return(const struct world *w, const struct row *t,
                               const struct version *before, const struct version *first)
{
    const struct record *r = &before->record;

    return r->term == t->now.record.term && w->now - first->written_at < r->lease - r->lease / 400;
}

/* Not the claim of a term whose lease is longer than the one before: a host that has not seen it
 * would go by the shorter one. docs/safety.md says so. Nor the very first claim. */
static unsigned may_be_lost(const struct world *w, const struct row *t)
{
    unsigned n = 0;

    while (n < t->n_older) {
        const struct version *v = &t->older[t->n_older - 1 - n];
        const struct version *after = n == 0 ? &t->now : v + 1;

        if (v->record.term == 0 ||
            (v->record.lease < t->now.record.lease && !shorter_may_return(w, t, v, after)))
            break;
        n++;
    }
    return n;
}

void server_lose_writes(struct world *w, struct server *s)
{
    for (unsigned g = 0; g < w->n_groups; g++) {
        struct row *t = &s->rows[g];
        unsigned back = (unsigned)sim_below(w, may_be_lost(w, t) + 1);

        if (back == 0)
            continue;
        w->coverage->writes_lost += back;
        w->coverage->longer_lost += t->older[t->n_older - back].record.lease < t->now.record.lease;
        t->n_older -= back;
        t->now = t->older[t->n_older];
        t->written_at = w->now; /* what is seen from now on was not seen here before */
    }
}

bool server_was_used(const struct world *w)
{
    for (unsigned g = 0; g < w->n_groups; g++)
        if (w->servers[0].rows[g].now.record.term == 0)
            return false;
    return true;
}

void server_fork(struct world *w)
{
    w->forks++;
    w->servers[1] = w->servers[0];
    server_new_era(w, &w->servers[1]);
    server_lose_writes(w, &w->servers[1]);
    w->servers[1].epoch.timeline++;
}

void server_heal(struct world *w)
{
    w->servers[0] = w->servers[1];
    server_new_era(w, &w->servers[0]);
    w->servers[1] = (struct server){0};
}

bool server_take_row(struct world *w, unsigned group)
{
    struct server *s = &w->servers[0];
    struct row *t = &s->rows[group];
    struct record *r = &t->now.record;

    if (!t->exists || t->writing)
        return false;
    r->term++;
    r->nonce = random_nonce(w);
    r->owner[0] = '\0';
    r->clean = false;
    t->now.epoch = s->epoch;
    t->n_older = 0;
    t->highest_term = usec_max(t->highest_term, r->term);
    t->written_at = w->now;
    return true;
}
