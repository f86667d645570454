/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_GUARDS_H
#define TENURE_HOST_GUARDS_H

/* Are the guards that tenure-generator wrote in effect? Pure: effective properties of a unit in, a
 * verdict and its reason out. */

#include <stdbool.h>
#include <stddef.h>

#include "base/usec.h"
#include "host/properties.h"
#include "host/view.h"

/* What the guards of one group must be. All strings are borrowed. */
struct guards {
    const char *group;
    const char *keeper_unit;
    const char *slice_unit;
    const struct unit_view *units; /* the declared ones: only their names count */
    size_t n_units;
    usec_t stop;
};

enum guard_verdict {
    GUARDS_GOOD,
    GUARDS_WRONG,   /* not fit for a start: a unit is missing, changed, or of a kind that cannot be
                       led */
    GUARDS_LOST,    /* what the drop-ins say is not in effect, whatever else is wrong */
    GUARDS_OUTSIDE, /* it runs, and not in the group's slice, whatever else is wrong */
};

/* GUARDS_GOOD when all is as it must be; else problem names unit, property, value, what would be
 * right, and what to do. */
enum guard_verdict guards_of_unit(const struct guards *g, const char *unit,
                                  const struct unit_properties *p,
                                  char problem[static HOST_PROBLEM_MAX]);
enum guard_verdict guards_of_keeper(const struct guards *g, const struct unit_properties *p,
                                    char problem[static HOST_PROBLEM_MAX]);
enum guard_verdict guards_of_slice(const struct guards *g, const struct unit_properties *p,
                                   char problem[static HOST_PROBLEM_MAX]);

/* Parts of it, for a unit that has no guards yet, with the reason if not: is it loaded; can it be
 * led at all, by what its own files say; is it not frozen, or such that it starts all the same? */
bool guards_loaded(const char *unit, const struct unit_properties *p,
                   char problem[static HOST_PROBLEM_MAX]);
bool guards_can_be_led(const char *unit, const struct unit_properties *p,
                       char problem[static HOST_PROBLEM_MAX]);
bool guards_thawed(const char *unit, const struct unit_properties *p,
                   char problem[static HOST_PROBLEM_MAX]);

/* Nothing of it is guarded any more: what its drop-in says is not in effect, or it has lost its
 * files while it is up. */
bool guards_are_bare(const struct guards *g, const char *unit, const struct unit_properties *p);

/* Does PID 1 use the generator's copy of the drop-in? Of two files with one name it reads one. */
bool guards_by_generator(const char *unit, const struct unit_properties *p);

/* Is it in order that this unit is inactive while its group is led: because another unit of the
 * group starts it when it is time, or because it is a oneshot, which ends when its work is done? */
bool guards_may_rest(const struct guards *g, const struct unit_properties *p);

#endif
