/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_LOADER_H
#define TENURE_CONFIG_LOADER_H

/* Inside the configuration layer: what load.c (files), settings.c (settings) and cross_check.c
 * (rules that need all groups) share while a model is being built. */

#include <libconfig.h>

#include "config/config.h"

enum config_file_kind {
    FILE_MAIN,     /* node, arbiter, groups */
    FILE_GROUPS,   /* groups */
    FILE_SNAPSHOT, /* node, arbiter, groups: all of them */
};

/* Where a unit was declared: the model itself does not keep its lines. */
struct unit_place {
    const char *name;
    size_t group; /* index */
    size_t order; /* of reading */
    unsigned line;
};

struct loader {
    struct tenure_config *config; /* groups in the order of reading until load_finish() */
    struct config_problems *problems;
    const char *const *unit_dirs;
    const char *file; /* being read */
    enum config_file_kind kind;
    bool have_arbiter;
    bool too_many_groups;
    bool out_of_memory;
    struct unit_place *places;
    size_t n_places, room_places;
    size_t room_groups;
};

#endif
