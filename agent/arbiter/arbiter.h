/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_ARBITER_H
#define TENURE_ARBITER_ARBITER_H

/* The arbiter as the daemon sees it: asynchronous, and tick-first, because one round trip per tick
 * must serve all groups of an agent. What is above knows no database.
 *
 * How others fit. Row-like ones (lease rows, Kubernetes Leases) map a record to an object and a
 * claim to a compare-and-set on its version. Session-like ones (advisory locks, etcd leases,
 * ZooKeeper) keep beside it a lock in the connection, which excludes while the session lives: CLAIM
 * takes it, RENEW proves it (or takes it again in a new session), RELEASE gives it up, and a lost
 * session is reported by `lost`. The end of a session says nothing about the units: a CLAIM is
 * DENIED until the arbiter itself has counted the quarantine. */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "election/record.h"

#define ARBITER_TICK_MAX 1024
/* The name of a prepared transaction as PostgreSQL quotes it: of 199 bytes, each may be doubled. */
#define ARBITER_QUOTED_MAX (2 * 199 + 4)
/* Of a human-readable text. The longest has such a name twice. */
#define ARBITER_TEXT_MAX (2 * ARBITER_QUOTED_MAX + 448)

struct arbiter;

/* What is done about the password where it would go over TCP that leaves this host. */
enum arbiter_password {
    PASSWORD_PROTECTED, /* no server gets it in clear text */
    PASSWORD_ANYHOW,    /* as the connection string has it: the operator decided so */
    PASSWORD_AS_BEFORE, /* so, too, but undecided: an earlier version applied it. Said to the
                           operator */
};

/* All are called from the event loop. Each may call arbiter_send(), none arbiter_free(). */
struct arbiter_handler {
    /* A tick is answered: exactly once per arbiter_send() that returned 0, never from within it.
     * replies[i] belongs to requests[i]; all are UNKNOWN when the connection broke or the time was
     * up. The arbiter may be asked again from within. */
    void (*replies)(void *userdata, const struct reply *replies, size_t n);
    /* Just before `replies`: requests[i] will be UNKNOWN because another session has a
     * transaction open that keeps the record as it is. `holder` names it, human-readable. Also for
     * a CONFIRM_DEAD that is granted: `holder` is a session that still has the lock. May be NULL.
     */
    void (*held_up)(void *userdata, size_t i, const char *holder);
    /* When a tick was not answered in time: a session has all records locked. `holder` says which,
     * since when and what to do about it; NULL: none has, or it is not known any more. Called
     * before `connected` with each new connection, and after `replies`, until none has: the
     * arbiter is not idle while it asks, and is again when this is called. A claim or renewal that
     * is granted shows that none has: then the arbiter does not ask. If it is not known any more,
     * this is called after `lost`. May be NULL. */
    void (*locked)(void *userdata, const char *holder);
    /* Usable now: send what is due. `text` describes it, without secrets. */
    void (*connected)(void *userdata, const char *text);
    /* The connection is gone, or could not be made, and why, without secrets. Called after
     * `replies` for a tick under way. Retried by the arbiter itself, with backoff, and called
     * again each time every host was tried in vain. Observations made before count on if the
     * replies that come next are of the same epoch. */
    void (*lost)(void *userdata, const char *text);
    /* Just before `lost`: the server that answers is not the one that was, or has an older history.
     * Nodes that talk to different ones can lead at once, so an operator must look at it. Called
     * once. May be NULL. */
    void (*alarm)(void *userdata, const char *text);
    /* Something changed for this group (NULL: unknown which): observe it soon. `release`: it was
     * released, with this term and nonce; NULL: not said. Only a hint, which anyone may have
     * forged. */
    void (*hint)(void *userdata, const char *group, const struct release_notice *release);
    /* Something an administrator should read, once; the connection goes on. May be NULL. */
    void (*notice)(void *userdata, const char *text);
};

/* Creates an arbiter and begins to connect, from the loop (also name resolution runs beside it).
 * `owner` (NODE/INSTANCE_ID) and `conninfo` are copied, `handler` is borrowed. With require_sync
 * nothing is claimed or renewed while the server waits for no standby. Returns 0, -ENOMEM, or
 * -EINVAL with the reason (never the value: it may hold a password) in reterr_text. */
int arbiter_postgresql_new(struct sd_event *event, const char *conninfo,
                           enum arbiter_password password, bool require_sync, const char *owner,
                           const struct arbiter_handler *handler, void *userdata,
                           struct arbiter **ret, char reterr_text[static ARBITER_TEXT_MAX]);

/* Hands on what the other one has seen of servers and their histories, so that an old primary stays
 * refused under another conninfo. */
void arbiter_inherit(struct arbiter *a, const struct arbiter *from);

/* Drops the connection at once; a tick under way is not answered any more. NULL is fine. Not from
 * within a handler. Returns NULL. */
struct arbiter *arbiter_free(struct arbiter *a);

/* What speaks against leading groups by this method here and now, human-readable; NULL: nothing
 * known. */
const char *arbiter_obstacle(const struct arbiter *a, enum method method);

/* Connected, and no tick under way? */
bool arbiter_idle(const struct arbiter *a);

/* Sends one tick as one round trip. The caller reads its clock just before and counts from there.
 * The requests are copied (their group strings too). When no answer has come after `limit` the
 * connection is closed (never cancelled) and all are UNKNOWN. Each group at most once in a tick.
 * Returns 0, -EBUSY when not idle, -ENOTCONN, -E2BIG above ARBITER_TICK_MAX, -EINVAL for an empty
 * tick or a request that no arbiter can take (a name that is no group's, a term or span above
 * INT64_MAX, observe, claim or confirm dead without L and D, renew or release without a nonce or
 * with more than REQUEST_NONCES_MAX), -ENOMEM. */
int arbiter_send(struct arbiter *a, const struct request *requests, size_t n, usec_t limit);

/* Number of round trips so far: a test asserts that it is one per tick. */
uint64_t arbiter_round_trips(const struct arbiter *a);

#endif
