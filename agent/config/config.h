/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_CONFIG_H
#define TENURE_CONFIG_CONFIG_H

/* The configuration: files in libconfig syntax on one side, a checked model on the other. Whoever
 * holds a struct tenure_config may rely on every rule of design §7: names are valid, budgets hold,
 * no unit stands twice. Nothing here logs; what is wrong is collected, all of it, as problems. */

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
 * here until somebody says that no host does. */
struct config_kept {
    char name[GROUP_NAME_MAX + 1];
    char **units;
    size_t n_units;
};

struct config_arbiter {
    char *conninfo; /* may hold a password: never print it */
    bool require_sync;
    bool allow_unverified; /* a password in clear text to whoever answers */
    bool decided;          /* the file says so, or the opposite */
    bool unjudged; /* of an applied configuration: it does not say, since nobody was asked, by an
                      earlier version or at a boot, so it goes on as it is; or nothing depends on it
                    */
    char *file;    /* where conninfo stands, for messages */
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

/* What config_load() reads. */
struct config_paths {
    const char *main_file;
    const char *groups_dir; /* its *.conf files, sorted; may be missing */
    /* Where unit files are looked for, most important first, NULL at the end: to find out what a
     * timer, socket or path triggers. NULL: systemd's usual directories. */
    const char *const *unit_dirs;
};

/* Reads and checks main_file and groups_dir. Returns 0 and a new model; -EBADMSG when something is
 * wrong, a file that cannot be read included: problems then says what, with file and line, all of
 * it (a syntax error ends a file); -ENOMEM. *ret is set only on success. problems must be set up
 * (= {0}) and is the caller's to clear. */
int config_load(const struct config_paths *paths, struct config_problems *problems,
                struct tenure_config **ret);

/* Calls `found` with every file of groups_dir that config_load() does not read because of its name,
 * hidden ones aside, sorted. Returns 0, or negative errno; a directory that is missing has none. */
int config_each_ignored(const char *groups_dir, void (*found)(void *userdata, const char *file),
                        void *userdata);

/* Reads an applied configuration through the same checks, unit files aside: they may have changed
 * since. Returns as config_load(), and -ENOENT, without a problem, when there is no such file. */
int config_load_snapshot(const char *path, struct config_problems *problems,
                         struct tenure_config **ret);

/* What is applied, by the first of the files (NULL at the end) that can be read; *ret_from, if not
 * NULL, says which. Returns 0; -ENOENT: there is none of them; -EBADMSG: none that is there can be
 * used, and problems says why the first cannot; -ENOMEM. */
int config_load_applied(const char *const files[], struct config_problems *problems,
                        struct tenure_config **ret, size_t *ret_from);

/* Writes the model to path, atomically and durably (temporary file, fsync, rename, fsync of the
 * directory), mode 0640. The group becomes that of the user "tenure" when the caller is root and
 * there is one. Returns 0 or negative errno; a file that could not be replaced is as it was. */
int config_write_snapshot(const struct tenure_config *c, const char *path);

/* Where would config_write_applied() write? Changes nothing but that directories are made. The file
 * itself; or, where that cannot be written at all (a root file system that is read-only), and
 * neither it nor its copy is there from before, which would count: the volatile one. *ret_where:
 * which one. *ret_error: 0, or why it is not the file itself. Returns 0, or negative errno:
 * *ret_where is then the file that cannot be written, or the older one that cannot be removed and
 * would count after the next boot. */
int config_find_place(const char *const files[], size_t *ret_where, int *ret_error);

/* Writes the file itself and its copy so, their directories made if need be, and removes the
 * others; or writes the volatile one, and removes the older ones. *ret_where, and what it returns:
 * as of config_find_place(). *ret_error: 0, or why the copy, or with the volatile one the file
 * itself, could not be written: that is no failure, and there is no such file then. */
int config_write_applied(const struct tenure_config *c, const char *const files[],
                         size_t *ret_where, int *ret_error);

/* Writes the file itself and its copy so, and removes nothing: for what is applied already.
 * *ret_error: 0, or why the copy could not be written. Returns 0 or negative errno, of the file
 * itself. */
int config_restore_applied(const struct tenure_config *c, const char *const files[],
                           int *ret_error);

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
                              group must be led down first */
};

struct config_difference {
    enum config_change change;
    const struct config_group *before; /* NULL when added */
    const struct config_group *after;  /* NULL when removed */
};

/* Compares two models group by group, in the order of names. before may be NULL (nothing applied
 * yet). *ret is a new array for free(3) that points into both models; *ret_n its length (every
 * group of either stands in it once). Returns 0 or -ENOMEM. */
int config_diff(const struct tenure_config *before, const struct tenure_config *after,
                struct config_difference **ret, size_t *ret_n);

/* Do both have the same node and arbiter? */
bool config_same_arbiter(const struct tenure_config *a, const struct tenure_config *b);

#endif
