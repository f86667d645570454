/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GENERATOR_GUARD_H
#define TENURE_GENERATOR_GUARD_H

/* The guards: drop-ins that bind a group's units to its keeper, and the links that let the keeper
 * pull them up. Text first, so that it can be looked at without a file system. */

#include "config/config.h"

#define GUARD_FILE "zz-tenure.conf"
#define GUARD_SIZE_MAX ((CONFIG_UNITS_MAX + 8) * 512) /* bytes; a keeper's names all its units */
#define GUARD_LOCK_SIZE_MAX 512
/* Never exists; its name is what `systemctl status` of a locked unit shows. */
#define GUARD_LOCK_PATH TENURE_RUN_DIR "/nothing-is-applied/run-tenurectl-apply"
/* On top of S before PID 1 kills a keeper that ends and has the fence kill what is left: with PID
 * 1's timer accuracy of 250 ms this is the slack of the budget. */
#define GUARD_KEEPER_STOP_EXTRA_USEC (50 * USEC_PER_MSEC)

/* The drop-in of a unit of the group, of its keeper, and of a unit that must not start at all. Each
 * returns the length, or -ENOBUFS (GUARD_SIZE_MAX always does). */
int guard_unit_text(const struct config_group *g, const char *unit, char *ret, size_t size);
int guard_keeper_text(const struct config_group *g, char *ret, size_t size);
int guard_lock_text(const char *unit, char *ret, size_t size);

/* Writes UNIT.d/GUARD_FILE below the open directory. Returns 0 or negative errno. */
int guard_write(int dir_fd, const char *unit, const char *text);

/* Writes all guards and links of a group below the open directory. Goes on after an error and
 * returns the first one. A unit that a timer or path of the group starts, by their files in
 * unit_dirs (NULL at the end), gets no link: a job of the night must not run with every takeover.
 */
int guard_write_group(int dir_fd, const struct config_group *g, const char *const unit_dirs[]);

/* Writes the drop-in of tenured.service, which names all keepers. Returns 0 or negative errno. */
int guard_write_agent(int dir_fd, const struct tenure_config *c);

#endif
