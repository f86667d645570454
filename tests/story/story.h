/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_STORY_H
#define TENURE_TESTS_STORY_H

/* Whole elections that read like a story. Two or three hosts and one record live in memory, on
 * virtual time; the election is the one that ships (agent/election). Everything else is a stand-in
 * that always does the same: a request takes 4 ms, a start 30 ms, a stop 120 ms. What a story says
 * is therefore the same text each time, and traces/ keeps it.
 *
 * This is neither the simulation nor the search: it finds nothing, it shows. */

#include <stdbool.h>
#include <stdio.h>

#include "election/member.h"

#define STORY_NODES_MAX 3u
#define STORY_LEASE_USEC (15 * USEC_PER_SEC)
#define STORY_STOP_USEC (5 * USEC_PER_SEC)

/* The arbiter: one record, and the epoch in which it was written. */
struct arbiter {
    bool exists;
    struct record record;
    struct epoch made_in, epoch;
    usec_t slow; /* so much longer each request takes */
};

enum keeper {
    KEEPER_NONE,
    KEEPER_BEGINS,
    KEEPER_RUNS, /* active, and the units with it */
    KEEPER_ENDS, /* the units are being stopped */
};

/* A host and its agent. Times of what is under way; USEC_INFINITY: nothing. */
struct node {
    const char *name;
    unsigned number; /* from 0 */
    struct member m;
    bool agent, online, connected;

    struct request request;
    bool lose_answer; /* of the next request */
    usec_t execute_at, reply_at, time_up_at, connect_at;
    struct reply reply;
    usec_t hint_at;
    struct release_notice hint;

    enum keeper keeper;
    usec_t keeper_at;         /* when it has begun, or has ended */
    struct host_state ticket; /* what the keeper knows: term, L, S, D and the deadline */
    bool refuse_start, started_units;
    usec_t look_at, look_asked_at, look_again_at;
    usec_t started_at;
    int start_error;
    enum guards_state guards;
    bool heal_helps;
    usec_t healed_at, heal_asked_at;

    unsigned renewals;      /* granted, and not yet written down */
    bool has_read;          /* has written down what the record says */
    struct record read;     /* that */
    usec_t sent_lease;      /* L of the keeper, as it was written down */
    uint64_t read_timeline; /* where it was */
};

struct story {
    FILE *out; /* NULL: nothing is written down */
    usec_t now;
    usec_t began; /* times are written as seconds since then */
    struct budget budget;
    struct arbiter arbiter;
    unsigned n_nodes;
    struct node nodes[STORY_NODES_MAX];
    uint64_t nonces;
};

struct chapter {
    const char *name, *title, *about;
    unsigned n_nodes;
    void (*play)(struct story *s);
};

/* stories.c: ends with one without a name. */
extern const struct chapter chapters[];

/* arbiter.c: carries out the request of this owner. */
void arbiter_execute(struct arbiter *a, const char *owner, const struct request *q,
                     struct reply *ret);
/* The database fails over: the promoted server has this record, which may be an older one. */
void arbiter_fail_over(struct arbiter *a, const struct record *record);

/* world.c */
void story_begin(struct story *s, const struct chapter *c, FILE *out);
void story_start(struct story *s); /* the agents, one after the other */
void story_run(struct story *s, usec_t duration);
/* Until this node is in this state; fails when it never is. */
void story_until(struct story *s, struct node *n, enum member_state state);

/* node.c: what happens to a node. */
usec_t node_next(const struct node *n);
void node_turn(struct story *s, struct node *n); /* whatever is due now */
void agent_begin(struct story *s, struct node *n);
void agent_end(struct node *n); /* killed: the keeper goes on */
void node_stop(struct story *s, struct node *n);
void node_configure(struct story *s, struct node *n, usec_t lease);
void node_cut(struct node *n);
void node_mend(struct story *s, struct node *n);
void node_power_off(struct node *n);
void node_hint(struct story *s, struct node *n, const struct release_notice *notice);

/* host.c: PID 1 and the keeper. */
usec_t host_next(const struct node *n);          /* when the keeper next does something by itself */
bool host_turn(struct story *s, struct node *n); /* whether anything was due */
void host_act(struct story *s, struct node *n, unsigned actions);
void host_poll(struct node *n, usec_t at);
void host_local(const struct node *n, struct host_state *ret);
void host_healed(struct story *s, struct node *n);
void host_kill_keeper(struct story *s, struct node *n);

/* tell.c: one line, and before it the renewals that were not worth a line of their own. */
__attribute__((format(printf, 3, 4))) void tell(struct story *s, const char *who,
                                                const char *format, ...);
void tell_step(struct story *s, struct node *n, const struct member_event *e,
               enum member_state before, const struct update *u);
/* "1/3": the third term on timeline 1. Good until the fourth call after this. */
const char *term_text(uint64_t term);
/* Both in seconds, likewise. */
const char *time_text(const struct story *s, usec_t t);
const char *span_text(usec_t span);

#endif
