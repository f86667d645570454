/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GENERATOR_GENERATE_H
#define TENURE_GENERATOR_GENERATE_H

#include "config/config.h"

enum generate_source {
    GENERATE_NOTHING,  /* there is no snapshot and no copy: nothing was ever applied */
    GENERATE_SNAPSHOT, /* the normal case */
    GENERATE_COPY,     /* the snapshot is missing or broken; its copy was taken */
    GENERATE_LOCK,     /* both are broken: every unit that they still name cannot start */
};

/* Writes the guards for the snapshot at path into early_dir. unit_dirs: where unit files are, for
 * what timers and paths start; NULL: systemd's usual directories. What is applied must never lose
 * its guards because a file got damaged: the copy that every apply writes beside the snapshot
 * stands in for it, and if both cannot be used, all unit names that are found in their text get a
 * guard that refuses every start. problems: what is wrong with the snapshot (and the copy). Returns
 * 0, or the first error met while writing; the rest is written nevertheless. */
int generate(const char *path, const char *early_dir, const char *const unit_dirs[],
             struct config_problems *problems, enum generate_source *ret);

#endif
