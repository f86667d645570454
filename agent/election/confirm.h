/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_CONFIRM_H
#define TENURE_ELECTION_CONFIRM_H

/* An operator's word that a node is dead, acted out on the record of one group: watched for as long
 * as a live leader needs for two renewals, and if it stayed as it is, compare-and-set to a new term
 * without an owner. Everybody then goes by that: others observe it for its lease, as any record
 * that is not clean, and the node that was confirmed dead, should it live, is denied its renewal,
 * its release and whatever else it knew. Pure: what was read goes in, what is to be asked comes
 * out. */

#include <stdbool.h>

#include "base/budget.h"
#include "election/record.h"

/* Twice the longest renewal interval there is, and an answer. */
#define CONFIRM_WATCH_USEC (2 * BUDGET_POLL_MAX_USEC + 1 * USEC_PER_SEC)
/* Two readings that are further apart prove nothing about the time between them: the arbiter may
 * have been out of every node's reach. */
#define CONFIRM_GAP_USEC (3 * USEC_PER_SEC)

enum confirm_state {
    CONFIRM_UNREAD,
    CONFIRM_FREE,     /* the record is not the node's: there is nothing to do */
    CONFIRM_WATCHING, /* it is, and has to stay as it is */
    CONFIRM_STILL,    /* it did so for long enough: confirm_ask() */
    CONFIRM_ALIVE,    /* the node renewed, released or claimed it */
    CONFIRM_TAKEN,    /* somebody else has changed it since: it is not the node's any more */
    CONFIRM_DONE,     /* its term is nobody's */
};

struct confirm {
    char node[NODE_NAME_MAX + 1];
    enum confirm_state state;
    struct record record; /* as it was read last */
    struct epoch epoch;
    usec_t since;   /* seen with this term and nonce from here on */
    usec_t read_at; /* and last read */
    bool asked;
    struct nonce fresh; /* asked: what the record shall have, the same in every try */
};

/* node: a valid name. */
void confirm_begin(struct confirm *c, const char *node);

/* The record was read: by a question that was sent at sent_at, with the answer at now. */
void confirm_read(struct confirm *c, const struct reply *reply, usec_t sent_at, usec_t now);

/* CONFIRM_STILL: what is to be asked. Asked again, after an answer that said nothing, it is the
 * same: done twice is done once. configured: the lease of the group on this host. floor: what the
 * new term must be at least, by all that was seen here. nonce: fresh. Returns false if no lease
 * that there is keeps the promise with the S of this record. */
bool confirm_ask(struct confirm *c, usec_t configured, uint64_t floor, const struct nonce *nonce,
                 struct request *ret);

/* The answer to it. */
void confirm_answer(struct confirm *c, const struct reply *reply, usec_t sent_at, usec_t now);

/* The lease of the term that is made: as long as others must observe it. Never shorter than the
 * record's, which covers whatever the keeper has, also while its lease changes (election/cover.h).
 */
usec_t confirm_lease(const struct record *r, usec_t configured);

/* Until when units may run at the latest on the host that the record names, if its last renewal was
 * seen at `seen` first: it cannot have been sent later. By this host's clock, whatever the rate of
 * the other one within what is allowed. */
usec_t confirm_runs_until(const struct record *r, usec_t seen);

/* Is this owner an instance of the node? */
bool confirm_is_of(const char *owner, const char *node);

#endif
