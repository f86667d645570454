/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_UNITS_H
#define TENURE_CTL_UNITS_H

/* What PID 1 knows of the units of a configuration, asked before that counts. */

#include "ctl/ctl.h"
#include "ctl/systemd.h"

/* What was found. = {0}; units_findings_clear() ends it. */
struct units_findings {
    struct config_problems refused, warnings;
    bool stale; /* a file changed since PID 1 read it: after a daemon-reload it may say otherwise */
};

void units_findings_clear(struct units_findings *f);
#define _cleanup_units_findings_ _cleanup_(units_findings_clear)

/* Asks PID 1 about every declared unit and judges the answers (host/survey.h). Each finding has
 * file and line of the group. to_the_end: false is for a caller that would ask again after a
 * daemon-reload: it ends with the first unit that is stale, since PID 1 reads the files of a unit
 * that nothing refers to for each answer, which takes some milliseconds. until: nothing is asked
 * after this, by CLOCK_MONOTONIC. Returns 0, or negative errno: then PID 1 did not answer for unit,
 * or
 * (-ETIMEDOUT) was not asked in time. */
int units_ask(const struct ctl *ctl, sd_bus *bus, const struct tenure_config *c, bool to_the_end,
              usec_t until, struct units_findings *ret, const char **ret_unit);

/* Prints all of it; returns the number of refusals. */
size_t units_print(const struct ctl *ctl, const struct units_findings *f);

#endif
