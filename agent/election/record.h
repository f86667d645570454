/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_RECORD_H
#define TENURE_ELECTION_RECORD_H

/* The one model of an arbiter that the election sees: a record per group, and five operations on
 * it. Plain values; arbiters translate them into rows, locks or leases. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/names.h"
#include "base/usec.h"

/* The proofs take a shorter one: nonces are only copied, and found to be equal or not. */
#ifndef NONCE_SIZE
#define NONCE_SIZE 16
#endif

/* Written again by every claim and renewal. Random, not a counter: a counter can come back after a
 * failover that lost rows, and an observer would take two holders for one. */
struct nonce {
    uint8_t bytes[NONCE_SIZE];
};

/* Which history of the arbiter a record was read from, and in which life of the server. A failover
 * changes the timeline, a restored or foreign server the system identifier; a server that was
 * started again has the same history, but may have lost what it had answered. What was observed
 * before any of these proves nothing after; a connection that was lost is none of them. */
struct epoch {
    uint64_t system_id;
    uint64_t timeline;
    uint64_t started; /* another one after each start of the server, the same until then */
};

static inline bool nonce_equal(const struct nonce *a, const struct nonce *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static inline bool history_equal(const struct epoch *a, const struct epoch *b)
{
    return a->system_id == b->system_id && a->timeline == b->timeline;
}

static inline bool epoch_equal(const struct epoch *a, const struct epoch *b)
{
    return history_equal(a, b) && a->started == b->started;
}

/* A term is the timeline it was begun on, and a number: greater ones are later ones. */
#define TERM_TIMELINE_SHIFT 32

struct record {
    uint64_t term;
    /* NODE/INSTANCE_ID; "" before the first claim, and of a term that was taken from a node which
     * was confirmed dead. */
    char owner[OWNER_MAX + 1];
    struct nonce nonce;
    usec_t lease, stop,
        duration; /* L, S and D of this term; L and D as the last renewal has them */
    /* CLOCK_REALTIME of the claim, by the arbiter's clock; 0: not known. Human-readable. */
    usec_t since;
    bool clean; /* released after the confirmed death of the units */
    /* May be claimed without having been observed for a lease: it is clean and was made in the
     * epoch it is read in. */
    bool claimable;
};

/* A record that was given back, as a notification tells it. Proof of nothing: a claim made on it
 * rests on clean, which the arbiter tests in the claim itself. */
struct release_notice {
    uint64_t term;
    struct nonce nonce;
};

enum operation {
    OPERATION_OBSERVE, /* read; a missing record is created, not clean */
    OPERATION_CLAIM,   /* compare-and-set on (expected_term, expected_nonce, epoch): a new term */
    OPERATION_RENEW,   /* keyed by (group, term, owner, known); never touches a clean record; may
                          change L and D */
    OPERATION_RELEASE, /* mark clean; keyed by (group, term, owner, known) */
    /* Somebody vouches that the owner is dead: compare-and-set on (expected_term, expected_nonce,
     * epoch) to a new term as a claim's, of no owner and not clean. Never touches a clean record.
     */
    OPERATION_CONFIRM_DEAD,
};

/* How many nonces a renewal or release can name. */
#define REQUEST_NONCES_MAX 8

struct request {
    enum operation operation;
    const char *group;                      /* borrowed until the reply */
    enum method method;                     /* of the group; the caller's to fill in, as its name */
    uint64_t term;                          /* renew, release */
    uint64_t expected_term;                 /* claim, confirm dead */
    struct nonce expected_nonce;            /* claim, confirm dead */
    struct nonce known[REQUEST_NONCES_MAX]; /* renew, release: the record must have one of them */
    unsigned n_known;                       /* 1 at least */
    struct nonce fresh_nonce; /* claim, renew, confirm dead: what the record shall have */
    struct epoch epoch;       /* claim, confirm dead: where the record was observed; all of it is
                                 tested */
    bool rests_on_clean;    /* claim: made without observation, because the record is clean, or was
                               announced as clean; the arbiter tests that in the claim itself */
    uint64_t term_floor;    /* claim, confirm dead: the new term is at least this */
    usec_t lease, duration; /* observe (for a new record), claim, renew, confirm dead */
    usec_t stop;            /* observe, claim, confirm dead */
};

enum outcome {
    OUTCOME_GRANTED, /* done and durable; for OBSERVE: read */
    OUTCOME_DENIED,  /* not done, and it will not be */
    OUTCOME_UNKNOWN, /* may have happened, may still happen: changes nothing */
    /* Renew, release: not done, and it will not be. The record is there, of this very term and
     * owner and not clean, but has a nonce that the request does not name. */
    OUTCOME_OTHER_NONCE,
};

struct reply {
    enum outcome outcome;
    bool has_record; /* record holds what the arbiter has now, after the operation */
    struct record record;
    enum method method; /* by which it was claimed, to be shown; with a record alone */
    struct epoch epoch;
    usec_t arbiter_time; /* CLOCK_REALTIME of the arbiter at the answer, a hint; 0: not known */
};

/* Does the reply say what an answer to this request of this owner must? Believing it makes a
 * leader, so every arbiter asks this of each reply and hands on none that does not fit. It is also
 * all that the proofs of tests/proof assume of what an arbiter answers. */
bool reply_fits(const struct request *q, const char *owner, const struct reply *reply);

#endif
