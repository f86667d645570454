/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_GROUPS_H
#define TENURE_HOST_GROUPS_H

/* The groups that are watched, with their units and keepers. They are sorted, because each signal
 * names one unit. */

#include <stdbool.h>
#include <stddef.h>

#include "base/usec.h"

struct host;
struct watched;
struct watched_group;

/* Returns 0, -ENOMEM, or -EINVAL for names that are not valid. The group is not known yet. */
int groups_add(struct host *h, const char *group, const char *const *units, size_t n_units,
               usec_t stop, struct watched_group **ret);
/* Frees it: nothing may point to it any more. */
void groups_remove(struct host *h, struct watched_group *g);
void groups_free(struct host *h);

/* By its name; NULL: there is none. */
struct watched_group *group_find(const struct host *h, const char *name);
/* By the path of an object of PID 1's; NULL: no unit that is watched. */
struct watched *watched_find(const struct host *h, const char *path);

/* The pump runs at the end of this turn of the event loop. */
void pump_soon(struct host *h);
void group_poll_soon(struct host *h, struct watched_group *g);
void groups_poll_soon(struct host *h);

/* PID 1 may have read its files again: no guard counts as checked any more. */
void groups_new_generation(struct host *h);
/* The view's guarded and problem, from what is known now. */
void group_judge(const struct host *h, struct watched_group *g);
/* Something new is known of it: completes its state, and calls the handler. */
void group_report(struct host *h, struct watched_group *g);
/* Does any group require the hardware watchdog? */
bool groups_require_watchdog(const struct host *h);
/* May this unit keep something other than processes? */
bool group_may_keep(const struct watched_group *g, size_t unit);

#endif
