/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_TICK_CODEC_H
#define TENURE_ARBITER_TICK_CODEC_H

/* A tick as the parameters of tenure.tick_2 (schema.sql), and its result as replies. */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "arbiter/arbiter.h"

#define TICK_PARAMETERS 22
#define NOTICE_MAX 256 /* of a notification */

extern const char tick_statement[];

/* Beside the requests, for the method `advisory` (advisory.h). */
struct tick_extra {
    usec_t *waited; /* malloc'ed; how long the row of each was seen unchanged */
    char *drop;     /* malloc'ed; groups whose lock is let go, as an array */
    bool sets_bound;
    uint64_t bound_msec; /* sets_bound: of the session; 0: the server's default */
};

struct tick_parameters {
    char *values[TICK_PARAMETERS]; /* malloc'ed */
};

/* What a result says about the server and the transaction as a whole. */
struct tick_facts {
    struct epoch epoch;
    bool synchronous; /* synchronous_standby_names is not empty */
    bool durable; /* committed with synchronous_commit = on, and a warning about it would have come
                   */
    bool session; /* it was the backend that was logged in to */
};

/* Is this a request that tick_2 can be asked? Values beyond bigint, spans of 0, names that
 * are no group's, and renewals and releases without a nonce or with too many are not. */
bool tick_request_valid(const struct request *r);

/* All must be valid. Returns 0 or -ENOMEM; to be freed either way. */
int tick_encode(const char *owner, bool require_sync, int pid, const struct tick_extra *extra,
                const struct request *requests, size_t n, struct tick_parameters *ret);

void tick_parameters_free(struct tick_parameters *p);
void tick_extra_free(struct tick_extra *e);

/* Fills replies[i] for requests[i], and in held[i] whether this session has the lock of its group;
 * all of them or none. Returns 0, or -EBADMSG with the reason in
 * error when the result is not exactly what tick_2 must answer to these requests. */
int tick_decode(const PGresult *result, const char *owner, const struct request *requests, size_t n,
                struct reply *replies, bool *held, struct tick_facts *facts,
                char reterr_text[static ARBITER_TEXT_MAX]);

/* What a notification of tick_2 says: "GROUP TERM NONCE" of a record that was released. Returns 0
 * or -EINVAL: it says something else. */
int notice_decode(const char *payload, char group[static GROUP_NAME_MAX + 1],
                  struct release_notice *ret);

/* Whose transaction made the reply to requests[i] UNKNOWN, or whose session still has the lock of a
 * node that was confirmed dead, human-readable; NULL: none's, or not known.
 * Borrowed from the result, which was decoded. */
const char *tick_holder(const PGresult *result, size_t i);

#endif
