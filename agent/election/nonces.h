/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_NONCES_H
#define TENURE_ELECTION_NONCES_H

/* Which nonces the record of a term may have by what this life of the agent did with it: this
 * distinguishes its renewals from those of an earlier life, or of a copy of the host, which have
 * the same name. */

#include <stdbool.h>

#include "election/record.h"

/* For the day when a failover has lost the last writes. */
#define NONCES_REMEMBERED 16

struct nonces {
    struct nonce list[NONCES_REMEMBERED]; /* written, tried or read for this term; newest first */
    unsigned n;
    /* The record has one of the first so many, as far as is known. 0: it must be read first. */
    unsigned n_known;
    /* And that is all there can be: one that was acknowledged, and what was tried since, each with
     * all of those before it. */
    bool complete;
    /* Nothing that comes late can make it another either: it was acknowledged in this history. In
     * one that was met later, what was sent there before may yet be carried out. */
    bool certain;
    /* The one that was acknowledged last, however many were tried since; and in which history. */
    bool has_acknowledged;
    struct nonce acknowledged;
    struct epoch epoch;
};

/* Another term. */
void nonces_forget(struct nonces *n);

/* A claim or renewal with this nonce was granted. */
void nonces_granted(struct nonces *n, const struct nonce *nonce, const struct epoch *epoch);

/* The record was read, with this nonce: whatever else is under way may yet change it. */
void nonces_read(struct nonces *n, const struct nonce *nonce, const struct epoch *epoch);

/* A renewal with this nonce may have been carried out, or may yet be. Beyond REQUEST_NONCES_MAX
 * that the record may have, it must be read first. */
void nonces_tried(struct nonces *n, const struct nonce *nonce);

/* The record was found with a nonce that it should not have. Is it this life's all the same? Not in
 * the history in which all that it may have is known; but in another one, where writes are lost, it
 * may be any that is remembered, as where not all is known. */
bool nonces_explain(const struct nonces *n, const struct nonce *nonce, const struct epoch *epoch);

/* Was it found in the very history in which all that it may have is known, now and later? */
bool nonces_exclude(const struct nonces *n, const struct epoch *epoch);

/* What a renewal or release names. */
void nonces_name(const struct nonces *n, struct request *request);

#endif
