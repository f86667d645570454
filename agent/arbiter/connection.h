/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_CONNECTION_H
#define TENURE_ARBITER_CONNECTION_H

/* One connection to PostgreSQL that keeps coming back: names resolved beside the loop, one address
 * at a time, one statement at a time. It never blocks the loop, and gives up what takes too long.
 *
 *   WAITING -> RESOLVING -> CONNECTING -> PROBING -> LISTENING -> IDLE --> BUSY
 *      ^                                                          | ^^      |
 *      |                                                          | |+------+
 *      |                                                          | |       v
 *      |                                                          | +--- ASKING
 *      +------------------ any failure, with backoff -------------+---------+
 *
 * ASKING: who has the table of the leases locked, after a statement, while that is so.
 *
 * What the server says on its way comes by callbacks, none of them from within a call below. They
 * may call connection_query() and connection_drop(), never connection_free(). */

#include <libpq-fe.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "arbiter/arbiter.h"
#include "base/usec.h"

#define CONNECTION_CONNECT_LIMIT_USEC                                                              \
    (3 * USEC_PER_SEC)                                   /* one address, login and probe included  \
                                                          */
#define CONNECTION_RESOLVE_LIMIT_USEC (3 * USEC_PER_SEC) /* one name */
#define CONNECTION_BACKOFF_MIN_USEC (100 * USEC_PER_MSEC)
#define CONNECTION_BACKOFF_MAX_USEC (5 * USEC_PER_SEC)
#define CONNECTION_SERVER_VERSION_MIN 140000
/* Requests of this role, of all agents, that the server did not end in this time. */
#define CONNECTION_STUCK_MAX 16
#define CONNECTION_STUCK_AGE "5 s"
/* Who has the table locked is asked for no more often, and answered no later. The next statement
 * waits for the answer: it gets a part of the time of the last one. */
#define CONNECTION_HOLDER_USEC (1 * USEC_PER_SEC)
#define CONNECTION_HOLDER_PART 4
/* Without an answer it is asked for less often: each time costs the connection. */
#define CONNECTION_HOLDER_GROWTH 8
#define CONNECTION_HOLDER_MAX_USEC (64 * USEC_PER_SEC)
#define CONNECTION_HINTS_MAX 64 /* per wake-up; more count as one that names nobody */

struct connection;

struct connection_handler {
    /* Ready for statements. */
    void (*up)(void *userdata, const char *text);
    /* Who has the table of the leases locked; NULL: nobody, or no primary is connected to that
     * would say. Asked for after a statement that was not answered in time, and where many are
     * stuck: before up(). Then also after answered(), until nobody has: the connection is not idle
     * meanwhile, and is again when this is called. After a statement that wrote, nobody
     * has it, and it is not asked for. */
    void (*locked)(void *userdata, const char *holder);
    /* Gone, or no host of the list could be connected to: a statement under way is not answered. */
    void (*down)(void *userdata, const char *text);
    /* The statement is over to its very end, commit included. `warned`: the server warned on its
     * way. An error does not come here: it brings the connection down. */
    void (*answered)(void *userdata, const PGresult *result, bool warned);
    /* A notification, NULL: several. */
    void (*notified)(void *userdata, const char *payload);
    /* Something that the operator should read, and that brings nothing down. */
    void (*noticed)(void *userdata, const char *text);
};

/* conninfo is copied, handler is borrowed. Returns 0, -ENOMEM, -EINVAL with the reason in error. */
int connection_new(struct sd_event *event, const char *conninfo, enum arbiter_password password,
                   const struct connection_handler *handler, void *userdata,
                   struct connection **ret, char error[static ARBITER_TEXT_MAX]);

struct connection *connection_free(struct connection *c);

bool connection_up(const struct connection *c);
bool connection_idle(const struct connection *c);

/* Of the backend that was logged in to, or of what is in between. Connected only. */
int connection_pid(const struct connection *c);
/* Statements may go to any backend. Connected only. */
bool connection_pooled(const struct connection *c);
/* What says that the server is one of several that fail over, human-readable; "": nothing. */
const char *connection_replicated(const struct connection *c);

/* Sends one statement; its answer is due within limit. Returns 0, -ENOTCONN, -EBUSY, -ENOMEM. A
 * connection that turns out to be broken is reported by down(), later. */
int connection_query(struct connection *c, const char *statement, int n,
                     const char *const *parameters, usec_t limit);

/* Gives the connection up for this reason and goes on with the next host; down() is called. */
void connection_drop(struct connection *c, const char *reason);

/* From within answered(): it does what it is for, so the backoff starts over with the next failure.
 * `written`: something was written, so no session has the table of the leases locked; locked() says
 * so without a question. */
void connection_proven(struct connection *c, bool written);

#endif
