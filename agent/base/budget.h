/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_BUDGET_H
#define TENURE_BASE_BUDGET_H

/* The arithmetic that makes "never two leaders" a matter of numbers. A standby may take over once
 * it has seen the row unchanged for the lease L; by then the old leader's units must be dead:
 *
 *     D + delta + S + K <= L (1 - 2 rho)
 *
 * All spans are in microseconds of CLOCK_BOOTTIME. */

#include <stdbool.h>

#include "base/usec.h"

#define BUDGET_SLACK_USEC (300 * USEC_PER_MSEC) /* delta: scheduler, PID 1's timer accuracy */
/* PID 1's timers fire up to this much late, never early: the watchdog's as well as stop timeouts.
 */
#define BUDGET_PID1_ACCURACY_USEC (250 * USEC_PER_MSEC)
/* PID 1's timers that guard a keeper are set this much after the keeper's own time, so that they
 * fire after it, and within delta even when they are late: the watchdog, and the stop timeout, by
 * which PID 1 kills a keeper that hangs while it ends and has the fence kill what is left. */
#define BUDGET_PID1_EXTRA_USEC (BUDGET_SLACK_USEC - BUDGET_PID1_ACCURACY_USEC)
#define BUDGET_KILL_MAX_USEC (1 * USEC_PER_SEC)     /* K is at most this … */
#define BUDGET_KILL_LEASE_DIVISOR ((usec_t)10)      /* … and at most this part of the lease */
#define BUDGET_CLOCK_RATE_DIVISOR ((usec_t)1000)    /* rho = 1/1000 */
#define BUDGET_RENEW_MIN_USEC (800 * USEC_PER_MSEC) /* smallest D that is accepted */
#define BUDGET_TRIES ((usec_t)4)                    /* p = R = D/4: three tries fit into D */
#define BUDGET_POLL_MAX_USEC (5 * USEC_PER_SEC)
#define BUDGET_LEASE_MAX_USEC (24 * 3600 * USEC_PER_SEC)
#define BUDGET_STOP_MAX_USEC (12 * 3600 * USEC_PER_SEC)

struct budget {
    usec_t lease;    /* L: also how long a standby must see the row unchanged */
    usec_t stop;     /* S: from the deadline to SIGKILL of everything the group runs */
    usec_t kill;     /* K: from SIGKILL until the cgroups are empty */
    usec_t duration; /* D: an acknowledged renewal makes a leader until t0 + D */
    usec_t poll;     /* p: interval of renewals and polls, before jitter */
    usec_t request;  /* R: time limit of one request to the arbiter */
};

/* K for a lease. */
usec_t budget_kill(usec_t lease);

/* Fills ret from lease and stop. Returns 0, or -ERANGE when D would be below BUDGET_RENEW_MIN_USEC
 * or a value is out of bounds; ret is then left alone. */
int budget_compute(usec_t lease, usec_t stop, struct budget *ret);

/* The smallest lease, rounded up to 100 ms, that budget_compute() takes with this stop timeout;
 * USEC_INFINITY when there is none. For the error message. */
usec_t budget_smallest_lease(usec_t stop);

/* Does duration keep the promise for this lease and stop timeout? The keeper asks this of a ticket:
 * it trusts no arithmetic but its own. */
bool budget_holds(usec_t lease, usec_t stop, usec_t duration);

/* The largest K for which duration still keeps the promise for this lease and stop timeout, at most
 * BUDGET_KILL_MAX_USEC; 0: it does for none. None of them is more than BUDGET_LEASE_MAX_USEC or
 * BUDGET_STOP_MAX_USEC; or sums wrap. */
usec_t budget_room(usec_t lease, usec_t stop, usec_t duration);

/* A lease of `least` or more that keeps the promise for this stop timeout and duration, also for a
 * keeper whose K is as large as `kill`: `least` itself if it does; else the smallest there is, give
 * or take 3 us. The result may be more than BUDGET_LEASE_MAX_USEC. least and duration are at
 * most BUDGET_LEASE_MAX_USEC, stop BUDGET_STOP_MAX_USEC, kill BUDGET_KILL_MAX_USEC; or sums wrap.
 */
usec_t budget_covering_lease(usec_t least, usec_t stop, usec_t duration, usec_t kill);

#endif
