/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GUARD_TEXT_H
#define TENURE_GUARD_TEXT_H

/* The drop-ins as text, of base/guard.h's settings. Each function makes a new string for free(3),
 * and returns 0, -ENOMEM, or -EINVAL for a group's name that is not valid. */

#include "base/guard.h"
#include "config/config.h"

/* Not the name that guards have: this one sorts before theirs and hides none. */
#define GUARD_LOCK_FILE "~tenure-lock.conf"
/* Never exists; its name is what `systemctl status` of a locked unit shows. */
#define GUARD_LOCK_PATH TENURE_RUN_DIR "/nothing-is-applied/run-tenurectl-apply"

/* Likewise; the name of the group follows. */
#define GUARD_KEPT_PATH TENURE_RUN_DIR "/kept/run-tenurectl-apply--release-"

/* Of a unit of the group. */
int guard_unit_text(const struct config_group *g, const char *unit, char **ret);

/* Of a unit that left the group of this name on this host: bound to its keeper still, and never to
 * be started. */
int guard_kept_text(const char *group, const char *unit, char **ret);

/* Of the group's keeper. more: units that it stops beside those of the group, n_more of them;
 * unit_dirs (NULL at the end): where a timer's or path's file says what it starts. That is not
 * pulled up with the keeper: a nightly job must not run with every failover. */
int guard_keeper_text(const struct config_group *g, char *const *more, size_t n_more,
                      const char *const unit_dirs[], char **ret);

/* Of a keeper that lives under the name that earlier versions gave it: it ends at once, and before
 * the one of today's name starts, with the stop timeout and the units of this configuration: second
 * names and units that are kept need not be in it, as today's keeper stops those. So an upgrade
 * costs a group with a dash in its name one switchover. Only for such groups. */
int guard_earlier_keeper_text(const struct config_group *g, char **ret);

/* Of the keeper of a group that left this host altogether: it stops all units that are kept. */
int guard_kept_keeper_text(const char *group, char **units, size_t n_units, char **ret);

/* Of tenured.service, which names all keepers. Keepers come after the agent anyway. Written on the
 * agent's side as well, that makes PID 1 keep them, and what they want, loaded for as long as the
 * agent is: PID 1 reads a unit that nothing loaded refers to from its files again for every
 * question, which takes some milliseconds, several times a lease. */
int guard_agent_text(const struct tenure_config *c, char **ret);

/* Of a unit that must not start at all. */
int guard_lock_text(const char *unit, char **ret);

/* The group that a unit's drop-in is of, read from its text. Returns 0; -EBADMSG when it has not
 * the guards that guard_unit_text() or guard_kept_text() would write. */
int guard_group_of_text(const char *text, char ret[static GROUP_NAME_MAX + 1]);

#endif
