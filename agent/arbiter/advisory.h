/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_ADVISORY_H
#define TENURE_ARBITER_ADVISORY_H

/* The method `advisory`: a group's row, and beside it a lock of the one session that the arbiter
 * has. tick_2 takes, checks and releases the locks; here is what this end must know for that.
 *
 * Why two never lead. A renewal is acknowledged only by a session that holds the lock, and writes a
 * new nonce into the row in the same transaction; a claim is acknowledged only to a session that
 * holds the lock, and as a compare-and-set on (term, nonce, history). So far it is the method
 * `lease`, with more demanded. The end of a session proves nothing about the units, so a node
 * that wants to follow waits out the quarantine: it must have seen that very (term, nonce) in one
 * life of the server, by its own clock from after the reply that showed it to before the claim is
 * sent, for Q = max(the row's L, its own L), without a gap of more than half the row's L between
 * two sessions; or the row is clean and of this history. How many they were does not matter: each
 * reply says which life of the server it is from, and the claim is tested for it, too. A renewal
 * that the old leader may count on was committed before the quarantine began, or has changed the
 * nonce: the claim fails. All of the old leader is dead Q after that renewal was sent
 * (base/budget.h).
 *
 *  - Session lost, lock free, leader alive: it takes the lock again with its next renewal. No
 *    other node has touched it, because a lock is taken by the claim that comes after the
 * quarantine, in its transaction, and goes with it when the claim fails. (Taken at its beginning,
 * it would depose every leader whose agent or server is restarted.)
 *  - Lock taken, row still ours: no node has claimed, so it is a session of our own that the server
 *    has not missed yet. Unknown; that session is ended; the old deadline rules.
 *  - Lock taken and row changed: denied; the old leader's units are dead since before the claim.
 *  - Server crashed, failed over, restored: all locks are free, and all of this is forgotten with
 *    the first reply of its new life. What remains is the row, as with `lease`.
 *  - Answer lost: the connection is given up, and the lock with it, as soon as the server notices:
 *    the session's limits are set before it takes its first lock.
 *  - A pooler: a lock could be any client's. tick_2 compares the backend's process id each time,
 * and asks pg_locks what this session holds instead of believing the caller. Refused.
 *  - A term that is over, but not proven dead: no renewals. The lock is released after L,
 *    when the lease would have expired; that is as safe as losing the session. */

#include <stdbool.h>
#include <stddef.h>

#include "arbiter/tick_codec.h"

/* A dead client's session is over after L, less what clocks may differ: just before a claim. Never
 * less than this, which no configuration comes near. */
#define ADVISORY_BOUND_MIN_USEC (2 * USEC_PER_SEC)
#define ADVISORY_BOUND_PART 256 /* L less this part of it */
/* Until a term's L is known; two of the longest poll intervals. */
#define ADVISORY_BOUND_UNKNOWN_USEC (2 * BUDGET_POLL_MAX_USEC)
#define ADVISORY_SEEN_MAX (4 * ARBITER_TICK_MAX)

/* A group's row in this life of the server, and its lock in this session. */
struct advisory_seen {
    char group[GROUP_NAME_MAX + 1];
    uint64_t term;
    struct nonce nonce;
    usec_t since;       /* seen with this term and nonce from here on (CLOCK_BOOTTIME) */
    usec_t read_at;     /* and last read */
    bool before;        /* in an earlier session */
    bool held, dropped; /* dropped: tick_2 was asked to release it */
    usec_t lease;       /* L of the row */
    usec_t acked_at;    /* held: when a claim or renewal was last granted */
};

struct advisory {
    struct advisory_seen *seen; /* in the order of names */
    size_t n, room;
    struct epoch epoch;
    usec_t bound; /* of this session, as last set; 0: the server's default */
    usec_t asked_bound;
};

/* Another session: nothing is held. What was seen of rows counts on, if the server's life goes on.
 */
void advisory_new_session(struct advisory *a);
/* Everything is forgotten. */
void advisory_free(struct advisory *a);

/* What tick_2 needs beside these requests. now: just before they are sent. Returns 0 or
 * -ENOMEM; to be freed with tick_extra_free() either way. */
int advisory_ask(struct advisory *a, const struct request *requests, size_t n, usec_t now,
                 struct tick_extra *ret);

/* And what it said. now: after the answer. Returns 0 or -ENOMEM: then the session must be given up.
 */
int advisory_take(struct advisory *a, const struct request *requests, const struct reply *replies,
                  const bool *held, size_t n, usec_t now);

#endif
