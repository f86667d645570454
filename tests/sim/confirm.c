/* SPDX-License-Identifier: Apache-2.0 */
/* An operator who has a node confirmed dead, by the agent of another host. The word is true, for a
 * host whose plug was pulled, or it is not: for one that is cut off, and for one that leads well.
 * What the record is then made of keeps its promise in any case; the word is about what no record
 * knows. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define LOOK_MIN_USEC (300 * USEC_PER_MSEC)
#define LOOK_MAX_USEC (1200 * USEC_PER_MSEC)
#define AGAIN_USEC (300 * USEC_PER_MSEC)
#define TRIES_MAX 12u
#define TWICE_PERMILLE 200
/* Something keeps all others from claiming it, or there would be nothing to be done by hand. */
#define HELD_PERMILLE 400

static struct node *node_of(struct world *w, uint8_t index)
{
    return &w->nodes[index];
}

/* The host that the group's record names. */
static struct node *leader_of(struct world *w, const struct server *s, unsigned group)
{
    const struct record *r = &s->rows[group].now.record;

    for (unsigned i = group; i < w->n_nodes && r->owner[0] && !r->clean; i += w->n_groups)
        if (strcmp(w->nodes[i].host->owner, r->owner) == 0)
            return &w->nodes[i];
    return NULL;
}

/* No agent does it to its own node, or what has its name. */
static struct node *find_helper(struct world *w, const struct node *victim, const char *name)
{
    unsigned first = (unsigned)sim_below(w, w->n_hosts);

    for (unsigned i = 0; i < w->n_hosts; i++) {
        const struct host *h = &w->hosts[(first + i) % w->n_hosts];

        if (h->alive && h->connected && h->family != victim->host->family &&
            !confirm_is_of(h->owner, name))
            return sim_nodes(w, h) + victim->group;
    }
    return NULL;
}

static void push(struct world *w, usec_t delay)
{
    sim_push(
        w, (struct sim_event){.at = w->now + delay, .kind = WORLD_CONFIRM, .number = w->word.life});
}

bool confirm_order(struct world *w, unsigned group, enum sim_word kind, usec_t span)
{
    struct server *s = &w->servers[0];
    struct node *victim = leader_of(w, s, group), *helper;
    struct operators_word *o = &w->word;
    char name[NODE_NAME_MAX + 1];

    if (o->active || !victim || w->servers[1].era > 0)
        return false;
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(victim->host->owner, "/"),
                   victim->host->owner);
    helper = find_helper(w, victim, name);
    if (!helper)
        return false;
    o->active = true;
    o->life++;
    o->by = helper->index;
    o->agent = helper->host->life;
    o->tries = 0;
    confirm_begin(&o->confirm, name);
    if (sim_chance(w, HELD_PERMILLE))
        s->rows[group].locked_until =
            usec_max(s->rows[group].locked_until, w->now + CONFIRM_WATCH_USEC + span / 8);
    if (kind == WORD_CUT)
        victim->host->cut_until = usec_max(victim->host->cut_until, w->now + span);
    else if (kind == WORD_TRUE)
        fault_reboot(w, victim->host, span);
    push(w, sim_between(w, 0, USEC_PER_SEC));
    return true;
}

void confirm_calm(struct world *w)
{
    w->word.active = false;
}

static void look(struct world *w, struct operators_word *o, const struct host *h)
{
    const struct server *s = &w->servers[h->server];
    const struct row *t = &s->rows[w->nodes[o->by].group];
    const struct reply reply = {
        .outcome = OUTCOME_GRANTED, .has_record = true, .record = t->now.record, .epoch = s->epoch};
    usec_t now = sim_host_state(w, h);

    if (h->connected && w->now >= h->cut_until && w->now >= s->down_until && t->exists)
        confirm_read(&o->confirm, &reply, now, now);
    if (w->mutation == MUTATION_CONFIRMED_BY_ONE_LOOK && o->confirm.state == CONFIRM_WATCHING)
        o->confirm.state = CONFIRM_STILL;
}

static struct nonce random_nonce(struct world *w)
{
    struct nonce n;

    for (size_t i = 0; i < sizeof n.bytes; i++)
        n.bytes[i] = (uint8_t)sim_random(w);
    return n;
}

static usec_t travel_time(struct world *w)
{
    return sim_chance(w, w->late_permille + w->slow_permille)
               ? sim_between(w, 0, w->late_at - w->calm_at)
               : sim_between(w, 100, 3000);
}

static void ask(struct world *w, struct operators_word *o, struct host *h)
{
    const struct node *n = node_of(w, o->by);
    const struct nonce nonce = random_nonce(w);
    struct request q;

    if (o->tries++ >= TRIES_MAX ||
        !confirm_ask(&o->confirm, n->budget.lease, member_term_floor(&n->member), &nonce, &q)) {
        o->active = false;
        return;
    }

    if (w->mutation == MUTATION_CONFIRMED_FOR_LESS)
        q.lease = n->budget.lease;

    uint32_t number = w->n_exchanges++;
    struct exchange *x = sim_exchange(w, number);

    *x = (struct exchange){.request = q,
                           .node = n->index,
                           .server = h->server,
                           .life = o->life,
                           .connection = UINT32_MAX, /* a session that has no locks */
                           .era = w->servers[h->server].era,
                           .first = number,
                           .n = 1,
                           .sent = w->now,
                           .sent_host = sim_host_state(w, h),
                           .fit = true};
    x->request.group = "group";
    x->request.method = n->method;
    /* Some get there twice, the second time at any time. */
    for (int copy = 0; copy == 0 || (copy == 1 && sim_chance(w, TWICE_PERMILLE)); copy++)
        if (h->connected && w->now >= h->cut_until && !sim_chance(w, w->lost_permille))
            sim_push(w, (struct sim_event){
                            .at = w->now + (copy == 0 ? travel_time(w)
                                                      : sim_between(w, 0, w->late_at - w->calm_at)),
                            .kind = SERVER_EXECUTE,
                            .number = number});
}

/* As the daemon ends it: by what was found, or when nothing comes of it. */
static bool is_over(struct world *w, struct operators_word *o)
{
    struct coverage *c = w->coverage;

    switch (o->confirm.state) {
    case CONFIRM_FREE:
        return true;
    case CONFIRM_ALIVE:
        c->words_refused++;
        return true;
    case CONFIRM_TAKEN:
        c->words_late++;
        return true;
    case CONFIRM_DONE:
        c->words_done++;
        return true;
    case CONFIRM_UNREAD:
    case CONFIRM_WATCHING:
    case CONFIRM_STILL:
        return false;
    }
    return true;
}

void confirm_handle(struct world *w, const struct sim_event *what)
{
    struct operators_word *o = &w->word;
    struct host *h = node_of(w, o->by)->host;

    if (!o->active || what->number != o->life)
        return;
    /* With the agent that does it, it is over. */
    if (!h->alive || h->life != o->agent || h->unfit) {
        o->active = false;
        return;
    }
    if (o->confirm.state == CONFIRM_STILL)
        ask(w, o, h);
    else
        look(w, o, h);
    if (is_over(w, o))
        o->active = false;
    if (o->active)
        push(w, o->confirm.state == CONFIRM_STILL ? AGAIN_USEC
                                                  : sim_between(w, LOOK_MIN_USEC, LOOK_MAX_USEC));
}

void confirm_answered(struct world *w, uint32_t number)
{
    const struct exchange *x = sim_exchange(w, number);
    struct operators_word *o = &w->word;
    const struct host *h = node_of(w, o->by)->host;

    if (!o->active || x->life != o->life || w->now < h->cut_until ||
        o->confirm.state != CONFIRM_STILL)
        return;
    confirm_answer(&o->confirm, &x->reply, x->sent_host, sim_host_state(w, h));
    if (is_over(w, o))
        o->active = false;
}

/* ---- what is promised ---- */

/* In true time, by the fastest clock that is allowed. */
static bool stayed_unchanged(const struct world *w, const struct exchange *x, usec_t since)
{
    return w->wrong_clock ||
           usec_sub(x->sent, since) >= CONFIRM_WATCH_USEC - CONFIRM_WATCH_USEC / 999;
}

/* The node may run its units yet, if the operator's word was wrong. */
static bool somebody_may_run(const struct world *w, unsigned group)
{
    for (unsigned i = group; i < w->n_nodes; i += w->n_groups)
        if (w->nodes[i].granted_until > w->now && w->nodes[i].running)
            return true;
    return false;
}

void confirm_committed(struct world *w, const struct exchange *x, struct row *row,
                       const struct server *s)
{
    const struct record *r = &row->pending.record, *before = &row->now.record;

    if (r->term <= row->highest_term)
        sim_violate(w, VIOLATION_TERM_REUSED, "confirmed dead, %" PRIu64 " after %" PRIu64, r->term,
                    row->highest_term);
    if (!stayed_unchanged(w, x, row->written_at) || !stayed_unchanged(w, x, s->began))
        sim_violate(w, VIOLATION_CONFIRM, "confirmed dead %" PRIu64 " us after the last write",
                    usec_sub(x->sent, row->written_at));
    if (r->owner[0] || r->clean || before->clean || r->lease < before->lease ||
        !budget_holds(r->lease, r->stop, r->duration))
        sim_violate(w, VIOLATION_CONFIRM, "confirmed dead, and %s",
                    r->clean ? "clean" : "not to be watched as long as before");
    row->highest_term = r->term;
    w->coverage->words_false += somebody_may_run(w, w->nodes[x->node].group);
}
