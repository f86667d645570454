/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_GUARD_CHECK_H
#define TENURE_HOST_GUARD_CHECK_H

/* Asks PID 1 for the properties of units, for guards.h to judge. */

#include <stdbool.h>

#include "base/usec.h"

struct host;
struct watched_group;

void check_continue(struct host *h, usec_t now);
bool check_due(const struct host *h, const struct watched_group *g);

#endif
