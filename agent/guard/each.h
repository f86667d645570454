/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GUARD_EACH_H
#define TENURE_GUARD_EACH_H

/* The whole set of drop-ins of an applied configuration: the same for both copies. */

#include "config/config.h"

/* Takes the text of one drop-in. Returns 0 or negative errno. */
typedef int (*guard_sink)(void *userdata, const char *unit, const char *text);

/* Passes on the drop-ins of all groups, one for each unit: of what is declared; then of each
 * group's second names of those files, of what is kept for it, and of the keeper, which pulls its
 * units up; and of tenured.service at the end, if all went well. unit_dirs: where unit files are,
 * NULL at the end. Goes on after an error, and returns the first one. */
int guard_each(const struct tenure_config *c, const char *const unit_dirs[], guard_sink sink,
               void *userdata);

#endif
