/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_TREE_H
#define TENURE_KEEPER_TREE_H

/* The cgroups of units by their names, in whatever slice they are: PID 1 names the cgroup of a unit
 * after the unit, and puts it into a slice. Nothing else is entered: what is below a unit belongs
 * to the unit, and a container in there may have units of the same names. */

#include <stdbool.h>
#include <stddef.h>

#define TREE_PATH_SIZE 1024
/* Slices within slices. Deeper ones are not looked into, and that is an error. */
#define TREE_DEPTH_MAX 16
#define TREE_SLICES_MAX 4096

struct tree {
    size_t alive;               /* cgroups with a process */
    char first[TREE_PATH_SIZE]; /* one of them, from the root on, "" if there is none */
    size_t slices;              /* looked into */
};

/* Looks at all of it once. names: NULL at the end. except: a slice's name that is left out, with
 * all that is in it; NULL: none. kill: SIGKILL to whatever is in them, forks in progress included.
 * Returns 0, or the first error of several: then there may be more than was found. */
int tree_look(const char *cgroup_root, const char *const names[], const char *except, bool kill,
              struct tree *ret);

#endif
