/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_WATCH_H
#define TENURE_ELECTION_WATCH_H

/* A record in this node's own name with a nonce that this life does not know: an orphan, which an
 * earlier life left behind, or another life's that goes on. Nobody renews an orphan, so only a
 * record that is unchanged for a renewal interval may be released. A change is a renewal of an
 * earlier life that came late, or a copy of this host that leads: it is watched again. A second
 * change is a copy. */

#include <stdbool.h>

#include "base/usec.h"
#include "election/record.h"

#define WATCH_CHANGES_MAX 2

struct watch {
    uint64_t term; /* 0: of none */
    struct nonce nonce;
    struct epoch epoch;
    usec_t interval; /* of its renewals */
    usec_t since;    /* seen with that nonce from here on, by a clock to be trusted;
                        USEC_INFINITY: not */
    unsigned changes;
};

enum watch_verdict {
    WATCH_GOES_ON,
    WATCH_COPY, /* this very reading made it one */
};

/* The record was read; now: after the answer. interval: p of its term. */
enum watch_verdict watch_read(struct watch *w, const struct reply *reply, usec_t interval,
                              usec_t now);

/* The term is this life's now: whatever was seen of it before does not matter. */
void watch_forget(struct watch *w);

/* Nothing that was seen up to here counts as unchanged. */
void watch_interrupt(struct watch *w);

/* There is a copy of this host that has this term: known by other means. */
void watch_copied(struct watch *w, uint64_t term);

/* From when on the record of this term may be given back, if it stays as it is; USEC_INFINITY: not
 * foreseeable. */
usec_t watch_still_at(const struct watch *w, uint64_t term);

bool watch_is_copy(const struct watch *w, uint64_t term);

#endif
