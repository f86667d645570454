/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GUARD_COPY_H
#define TENURE_GUARD_COPY_H

/* The second copy of all drop-ins: on the root file system, where PID 1 finds it before anything
 * else is mounted, and no generator that fails takes it away. */

#include <sys/types.h>

#include "base/guard.h"
#include "base/names.h"
#include "config/config.h"

struct guard_copy {
    size_t n_written;
    /* Why a drop-in cannot be written there at all, whatever is tried: 0 if there is
     * none. */
    int refused;
    char refused_unit[UNIT_NAME_LEN_MAX + 1];
    /* The first unit whose directory of drop-ins is not readable by all users, and its mode: the
     * agent cannot see whether its drop-in is there. "" if there is none. */
    char hidden_unit[UNIT_NAME_LEN_MAX + 1];
    mode_t hidden_mode;
};

/* Brings the copy in dir up to date: what differs is replaced, all of it or (except for what is
 * refused) nothing, and is on the disk when this returns. Nothing is removed. unit_dirs: as in
 * guard/each.h. Returns 0 or negative errno. */
int guard_copy_write(const struct tenure_config *c, const char *dir, const char *const unit_dirs[],
                     struct guard_copy *ret);

/* Removes every drop-in that is not of this configuration, and of its own units the locks that a
 * removal of the program left. Goes on after an error; returns the first one. */
int guard_copy_prune(const struct tenure_config *c, const char *dir, const char *const unit_dirs[]);

/* Calls `differs` for each unit whose drop-in is not there, or another one. Returns how many, or
 * negative errno. */
int guard_copy_compare(const struct tenure_config *c, const char *dir,
                       const char *const unit_dirs[],
                       void (*differs)(void *userdata, const char *unit), void *userdata);

/* Is there a drop-in of this unit that guards it? group: of which group. Returns 0, -ENOENT, or
 * -EBADMSG for one that does not. */
int guard_copy_find(const char *dir, const char *unit, char group[static GROUP_NAME_MAX + 1]);

/* Calls `found` for each unit that may belong to a group and has a drop-in. group: "" for one that
 * does not name it. Returns 0 or the first that is negative. */
int guard_copy_scan(const char *dir,
                    int (*found)(void *userdata, const char *unit, const char *group),
                    void *userdata);

#endif
