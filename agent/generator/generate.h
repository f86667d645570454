/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GENERATOR_GENERATE_H
#define TENURE_GENERATOR_GENERATE_H

#include "config/config.h"

enum generate_source {
    GENERATE_NOTHING,  /* neither applied nor declared: there is nothing to guard */
    GENERATE_SNAPSHOT, /* the normal case */
    GENERATE_VOLATILE, /* what is applied until the next boot, as /etc cannot be written */
    GENERATE_COPY,     /* the snapshot is missing or broken; a copy was taken */
    GENERATE_OLDER,    /* as before, and an earlier version has applied other units since */
    GENERATE_LOCK,     /* all are missing or broken: no unit still named somewhere may start */
};

struct generate_paths {
    const char *const *applied;         /* files as of config_load_applied() */
    const char *copy_dir;               /* where the other copy of the guards is */
    const char *main_file, *groups_dir; /* the administrator's own files, for GENERATE_LOCK alone */
    const char *run_dir;                /* of keepers that live */
    const char *invocations;            /* KEEPER_UNITS_DIR */
    const char *early_dir;              /* where the guards go */
    /* Where unit files are, for what timers and paths start; NULL: systemd's usual directories. */
    const char *const *unit_dirs;
};

/* Writes the guards of what is applied. That must never lose its guards because a file got damaged
 * or lost: its copy counts instead. If none can be used, all unit names that are found in their
 * text, or in the files that were to be applied, get a guard that refuses every start: missing is
 * no less than broken, for a host that boots before its first apply as well. But not those that
 * their drop-in in copy_dir still guards. The same for what only files of an earlier version name.
 * A group that is led here keeps its guards beside that, by what is to be applied. A keeper that
 * lives under the name that an earlier version gave it is ended, by what is applied or, without
 * that, declared. problems: what is wrong with the snapshot. Returns 0, or the first error met
 * while reading names or writing; the rest is written nevertheless. */
int generate(const struct generate_paths *paths, struct config_problems *problems,
             enum generate_source *ret);

#endif
