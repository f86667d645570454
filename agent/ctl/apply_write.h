/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_APPLY_WRITE_H
#define TENURE_CTL_APPLY_WRITE_H

/* What an apply writes to the disk. */

#include "ctl/apply_plan.h"
#include "ctl/systemd.h"

#define STAYS "what was applied before stays in force"

/* Can the applied configuration be written? For before anything steps down for what cannot be.
 * Returns CTL_OK, or prints why not and returns another status. */
int apply_check_place(const struct ctl *ctl, const struct plan *p);

/* Writes all that is applied: guards, configuration, and what is remembered until the next boot;
 * then removes the guards of what was released. Returns as apply_check_place(). */
int apply_write(const struct ctl *ctl, sd_bus *bus, const struct plan *p);

/* The persistent copy of the guards alone; *ret_written: how many were not there as they had to be.
 * Returns as apply_check_place(). */
int apply_write_guards(const struct ctl *ctl, const struct tenure_config *c, size_t *ret_written);

/* What is remembered until the next boot alone. Warns if it cannot be: nothing is less guarded
 * without it. */
void apply_remember(const struct ctl *ctl, const struct tenure_config *c);

#endif
