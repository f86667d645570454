/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_MEMBER_FIXTURE_H
#define TENURE_TESTS_MEMBER_FIXTURE_H

/* Each rule of the election at its boundary: what one microsecond or one missing condition changes.
 * The simulation (tests/sim) says whether the rules suffice; these tests say what they are. */

#include "base/budget.h"
#include "election/member.h"
#include "support/test.h"

#define SEC USEC_PER_SEC
#define MSEC USEC_PER_MSEC
#define NOW ((usec_t)1000000000)
#define L (15 * SEC)
#define S (5 * SEC)
#define P (f.m.budget.poll)
#define D (f.m.budget.duration)
/* How long a record of f.row's D must be unchanged before it belongs to no life. */
#define STILL ((usec_t)8670000 / 4 + 8670000 / 4 / 4)
#define TERM ((uint64_t)4294967297)
#define ME "db1/00000000000000000000000000000001"
#define OTHER "db2/00000000000000000000000000000003"

/* One member, and what surrounds it: each test runs in a process of its own. */
struct fixture {
    struct member m;
    struct update u;        /* of the last step */
    struct request request; /* under way */
    usec_t now;
    struct host_state host;
    struct record row; /* what the arbiter has */
    struct epoch epoch;
    uint8_t nonces;
    bool fit, may_claim;
    uint32_t random;
    usec_t ahead; /* of our clock is the arbiter's so far; 0: it does not tell */
};

extern struct fixture f;

/* A standby of db1 that may claim as far as its host goes; db2 leads. */
void set_up(void);

/* ---- one step, now ---- */

void step(struct member_event e);
void event(enum member_event_type type);
/* May lead again, with this budget. */
void resume(usec_t lease, usec_t stop);
/* StartUnit was answered. */
void started(int error);
/* PID 1's answer, at once, to a question asked at `asked_at`: f.host. */
void look_asked_at(usec_t asked_at);
/* A microsecond later, asked at that time. */
void look(void);
/* What it wants to know of the arbiter: f.request. */
void ask(void);
/* The arbiter's answer; it shows f.row unless the outcome is unknown. */
void answer(enum outcome o);
void answer_without_record(enum outcome o);
/* The arbiter does what was asked; then it also says so. */
void do_it(void);
void grant(void);

/* What the last step wants. */
bool asks(enum operation o);
/* And how many nonces it names, and whether this is one of them. */
unsigned n_named(void);
bool names(struct nonce nonce);
bool does(enum member_action a);
/* An end that began for this reason: the ticket goes, the keeper is asked to end, the proof is
 * asked for.
 */
void assert_ends(enum member_reason r);

/* ---- the record ---- */

struct nonce next_nonce(void);
void own(struct record *r, const char *owner);
void free_record(void);

/* Sees it for the first time. Returns since when it counts as seen. */
usec_t first_seen(void);
/* Polls at least every `interval` until `until`; the last poll is answered then. */
void observe_until(usec_t until, usec_t interval);

/* ---- this host ---- */

/* The keeper of the term is active, and the units run. */
void keeper_lives(uint64_t term);
void all_dead(void);

/* What has to be so for a claim. All but the last is the proof of death, too. */
enum lack {
    LACK_ANSWER, /* of PID 1 */
    LACK_REST,   /* of the keeper: no job */
    LACK_DEAD_UNITS,
    LACK_EMPTY_SLICE,
    LACK_PROOF, /* of the stops */
    LACK_GUARDS,
    LACKS, /* how many there are */
};
/* Takes away one of them. */
void lack(int what);

/* ---- on the way into a state ---- */

/* The claim is sent; its t0 is returned, as by the next two. */
usec_t claiming(void);
/* The ticket is out. */
usec_t starting(void);
usec_t leading(void);
/* A claim of unknown outcome turned out to be in the record. */
void confirming(void);
/* A new agent finds the keeper of an earlier life: TERM is ours, until NOW + 5 s or so. */
void adopting(void);
/* It reads the record, which it does first. */
void reading(void);
/* Its renewal by what was read is sent. */
void adopting_by_renewal(void);
/* A renewal of unknown outcome, which was not carried out. Returns its nonce. */
struct nonce unanswered(void);
/* A leader was stopped. */
void ending(void);
/* PID 1 says, to a question asked now, that all is dead. */
void proven_dead(void);
void releasing(void);

#endif
