/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_FOLDER_H
#define TENURE_TESTS_SUPPORT_FOLDER_H

/* A temporary folder of the running test's own. The test need not remove it: the program does, when
 * all its tests have ended, whichever way they did. */

#include <stddef.h>

/* Makes it, mode 0700. To be called first, in the fixture. */
void folder_make(void);
/* Its path. */
const char *folder(void);
/* FOLDER/NAME; good for the next fifteen calls. */
const char *in_folder(const char *name);

/* Makes a folder in it. */
void folder_make_folder(const char *name);
/* Writes a file in it, and makes the folders of its name. */
void folder_put(const char *name, const char *text);
/* How many entries that folder in it has, "" for itself. */
size_t folder_count(const char *name);

/* For test_main(): before the first test, and after the last. */
void folder_begin(void);
void folder_end(void);

#endif
