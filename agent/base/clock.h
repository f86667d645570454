/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_CLOCK_H
#define TENURE_BASE_CLOCK_H

#include "base/usec.h"

/* The clock all deadlines of this product are on: CLOCK_BOOTTIME, which counts suspend and which
 * cannot be set. Never fails: a kernel without it cannot run the product, so that aborts. */
usec_t clock_boottime(void);

/* CLOCK_MONOTONIC, to compare with what PID 1 says of the past; nothing is decided by it for later.
 */
usec_t clock_monotonic(void);

#endif
