/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_PACE_H
#define TENURE_HOST_PACE_H

/* How soon PID 1 is asked again. */

#include "base/usec.h"

/* After a question without an answer. */
#define POLL_RETRY_MIN_USEC (20 * USEC_PER_MSEC)
#define POLL_RETRY_MAX_USEC (1 * USEC_PER_SEC)
/* A group that is down costs PID 1 more: it reads the unit files again for every question (some
 * 3 ms). So often it is polled, and so often its guards are checked where a fault was found. */
#define POLL_GONE_INTERVAL_USEC (60 * USEC_PER_SEC)

/* The next delay: min after none (0), else twice the last one, at most max. */
static inline usec_t backoff(usec_t last, usec_t min, usec_t max)
{
    return last == 0 ? min : usec_min(usec_add(last, last), max);
}

#endif
