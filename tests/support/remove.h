/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_REMOVE_H
#define TENURE_TESTS_SUPPORT_REMOVE_H

/* Both return 0, or -1 with errno set. Links are removed, not followed. */

/* The folder with all that is in it. */
int remove_tree(const char *path);
/* All that is in the folder. */
int remove_below(const char *path);

#endif
