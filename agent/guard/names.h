/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GUARD_NAMES_H
#define TENURE_GUARD_NAMES_H

/* Second names of units. Links that lead to one file outside systemd's directories are as many
 * units of the same program: on systemd 252 also those that enabling a unit by the path of its file
 * makes of its Alias=, on newer ones those that were made by hand. Each needs a guard of its
 * own. Where both names are one unit, the second drop-in does no harm. */

#include <stddef.h>

struct unit_link {
    char *path;
    const char *name; /* in path */
    char *target;     /* the file it leads to in the end */
};

/* = {0} is empty. */
struct unit_links {
    struct unit_link *items;
    size_t n;
};

/* The links in dirs (NULL at the end) that lead out of them all. Directories that are not there
 * have none. Returns 0 or -ENOMEM, or the first error of another kind: the rest is there. */
int unit_links_load(const char *const dirs[], struct unit_links *ret);
void unit_links_clear(struct unit_links *l);

/* Other names of this unit's file. For instances those of its template, with its instance. *ret is
 * a new array of *ret_n strings, NULL for none: for strings_free(). Returns 0 or -ENOMEM. */
int unit_links_names(const struct unit_links *l, const char *unit, char ***ret, size_t *ret_n);

/* Where the link of this unit is, or that of its template; NULL: it has none. Borrowed. */
const char *unit_links_path(const struct unit_links *l, const char *unit);

#endif
