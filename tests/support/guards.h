/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_GUARDS_H
#define TENURE_TESTS_SUPPORT_GUARDS_H

/* The guards of a group with two units, a service and the timer that starts it. */

#include "host/guards.h"

#define GUARDS_GROUP "a-b"
#define GUARDS_KEEPER "tenure@a-b.service"
#define GUARDS_SLICE "tenure-a\\x2db.slice"

static const struct unit_view guards_units[] = {{.name = "w.service"}, {.name = "w.timer"}};

static const struct guards guards = {
    .group = GUARDS_GROUP,
    .keeper_unit = GUARDS_KEEPER,
    .slice_unit = GUARDS_SLICE,
    .units = guards_units,
    .n_units = sizeof guards_units / sizeof *guards_units,
    .stop = 5 * USEC_PER_SEC,
};

#endif
