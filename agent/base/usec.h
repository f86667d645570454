/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_USEC_H
#define TENURE_BASE_USEC_H

/* Microseconds, as a type and with arithmetic that saturates instead of wrapping: a deadline that
 * wrapped round would lie in the past (units killed for nothing) or, worse, in the far future. */

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC ((usec_t)1000000)
#define USEC_INFINITY UINT64_MAX

/* a + b, at most USEC_INFINITY. */
static inline usec_t usec_add(usec_t a, usec_t b)
{
    return a > USEC_INFINITY - b ? USEC_INFINITY : a + b;
}

/* a - b, at least 0; USEC_INFINITY minus anything finite stays USEC_INFINITY. */
static inline usec_t usec_sub(usec_t a, usec_t b)
{
    if (a == USEC_INFINITY)
        return b == USEC_INFINITY ? 0 : USEC_INFINITY;
    return a > b ? a - b : 0;
}

static inline usec_t usec_min(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static inline usec_t usec_max(usec_t a, usec_t b)
{
    return a > b ? a : b;
}

#endif
