/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_FILE_H
#define TENURE_TESTS_SUPPORT_FILE_H

/* Whole files of text. A file that cannot be written or read fails the test. */

/* Replaces what is there. */
void file_put(const char *path, const char *text);
/* Its text, or NULL when there is no file; good until the next call. */
const char *file_get(const char *path);

#endif
