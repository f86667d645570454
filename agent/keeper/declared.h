/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_DECLARED_H
#define TENURE_KEEPER_DECLARED_H

/* The units that must not run on this host but while it leads, by everything that root wrote about
 * it: each copy of the keeper's drop-in names them, and so does the keeper's environment. All
 * copies count, as any of them may be lost. Nothing of it is in a place where the agent's user can
 * write. */

#include <stdbool.h>
#include <stddef.h>

#include "base/usec.h"

/* Declared ones, their second names, and those that left the group on this host. */
#define DECLARED_UNITS_MAX 512
#define DECLARED_TEXT_MAX 65536

struct declared {
    size_t n;
    const char *names[DECLARED_UNITS_MAX + 1]; /* NULL at the end */
    usec_t stop;                               /* S, the longest that a copy says; 0: none says */
    bool cut;                                  /* there was no room for all */
    size_t used;
    char text[DECLARED_TEXT_MAX];
};

/* Names separated by spaces; NULL: none. What no group can have is left out, what is there
 * already is not added again. */
void declared_add(struct declared *d, const char *names);

/* Of the keeper's drop-ins: INSTANCE's below each of these directories (NULL at the end) that has
 * one. Only what belongs to root, and no other user can write, is read. */
void declared_read(struct declared *d, const char *const dirs[], const char *instance);

#endif
