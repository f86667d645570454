/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_CONFIG_H
#define TENURE_CONFIG_CONFIG_H

/* The configuration: files in libconfig syntax on one side, a checked model on the other. A
 * struct tenure_config keeps every rule of tenure.conf(5): names are valid, budgets hold, no unit
 * appears twice. Nothing here logs; what is wrong is collected, all of it, as problems. */

#include <stdbool.h>
#include <stddef.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "base/names.h"
#include "config/problem.h"

#define CONFIG_MAIN_FILE "/etc/tenure/tenure.conf"
#define CONFIG_GROUPS_DIR "/etc/tenure/groups.d"

#define CONFIG_GROUPS_MAX 1000
#define CONFIG_UNITS_MAX 64 /* per group */
#define CONFIG_FILES_MAX 1000
#define CONFIG_FILE_SIZE_MAX (1024 * 1024)          /* bytes */
#define CONFIG_SNAPSHOT_SIZE_MAX (32 * 1024 * 1024) /* bytes: all files together */
#define CONFIG_CONNINFO_MAX 4096                    /* bytes */
#define CONFIG_LEASE_DEFAULT (15 * USEC_PER_SEC)
#define CONFIG_STOP_TIMEOUT_DEFAULT (5 * USEC_PER_SEC)
#define CONFIG_FENCE_REBOOT "reboot" /* the only fence there is beside the usual one */
#define CONFIG_WATCHDOG_REQUIRE "require"

struct config_group {
    char name[GROUP_NAME_MAX + 1];
    char **units; /* n_units names, in the order of the file; no NULL at the end */
    size_t n_units;
    enum method method;
    struct budget budget;
    bool reboot; /* fence = "reboot": this host restarts when SIGKILL does not end the group */
    /* watchdog = "require": led only where the hardware watchdog is armed and comes in time; 0: led
     * anywhere. The longest time that it may have, see watchdog_longest(). */
    usec_t watchdog;
    char *file; /* where it was declared, for messages */
    unsigned line;
};

/* Units that left a group on this host. Other hosts may lead it with them, so they stay guarded
 * here until an operator says that no host does. */
struct config_kept {
    char name[GROUP_NAME_MAX + 1];
    char **units;
    size_t n_units;
};

struct config_arbiter {
    char *conninfo; /* may hold a password: never print it */
    bool require_sync;
    bool allow_unverified; /* a password in clear text to any server that answers */
    bool decided;          /* the file says so, or the opposite */
    bool unjudged;         /* of an applied configuration: it does not say, as it was applied by an
                              earlier version or at a boot, so it goes on as it is; or nothing depends on it
                            */
    char *file;            /* where conninfo is, for messages */
    unsigned line;
};

/* Owns everything it points to; config_free() ends it. The type of arbiter is always PostgreSQL. */
struct tenure_config {
    char node[NODE_NAME_MAX + 1];
    struct config_arbiter arbiter;
    struct config_group *groups; /* sorted by name (strcmp); may be none */
    size_t n_groups;
    struct config_kept *kept; /* of an applied configuration; sorted by name; no unit of groups */
    size_t n_kept;
};

/* Where the applied configuration is, NULL at the end: its own file and the copy, on the root file
 * system, in two trees of which neither is the administrator's to deploy; where it is until the
 * next boot when there is none of these and /etc cannot be written; then where earlier versions had
 * them. The first that can be read counts. */
extern const char *const config_applied_files[];
enum {
    CONFIG_APPLIED_OWN,
    CONFIG_APPLIED_COPY,
    CONFIG_APPLIED_VOLATILE,
    CONFIG_APPLIED_OLDER, /* this one and all behind it are removed, never written */
};

/* Keeps a unit for the group of this name, if it is not kept yet. Returns 0 or -ENOMEM. */
int config_keep(struct tenure_config *c, const char *group, const char *unit);
/* NULL when nothing is kept for it. */
const struct config_kept *config_find_kept(const struct tenure_config *c, const char *group);
/* The group that declares this unit; NULL: none. */
const struct config_group *config_group_of(const struct tenure_config *c, const char *unit);
/* Declared, or kept. */
bool config_has_unit(const struct tenure_config *c, const char *unit);

struct tenure_config *config_free(struct tenure_config *c); /* returns NULL */

static inline void cleanup_config(struct tenure_config **c)
{
    (void)config_free(*c);
}
#define _cleanup_config_ _cleanup_(cleanup_config)

/* NULL when there is none. */
const struct config_group *config_find_group(const struct tenure_config *c, const char *name);

enum config_change {
    CONFIG_UNCHANGED,
    CONFIG_ADDED,
    CONFIG_REMOVED,
    CONFIG_CHANGED_BUDGET, /* lease (from the next renewal on), a shorter stop_timeout or whether a
                              watchdog is required (from the next term on), nothing else */
    CONFIG_CHANGED_UNITS,  /* the set of units, the method, the fence, or a longer stop_timeout: the
                              node must step down from the group first */
};

struct config_difference {
    enum config_change change;
    const struct config_group *before; /* NULL when added */
    const struct config_group *after;  /* NULL when removed */
};

/* Compares two models group by group, in the order of names. before may be NULL (nothing applied
 * yet). *ret is a new array for free(3) that points into both models; *ret_n its length (every
 * group of either is in it once). Returns 0 or -ENOMEM. */
int config_diff(const struct tenure_config *before, const struct tenure_config *after,
                struct config_difference **ret, size_t *ret_n);

/* Do both have the same node and arbiter? */
bool config_same_arbiter(const struct tenure_config *a, const struct tenure_config *b);

#endif
