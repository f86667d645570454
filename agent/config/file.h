/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_FILE_H
#define TENURE_CONFIG_FILE_H

#include <stddef.h>

/* The whole of a regular file as a string for free(3). Never blocks on a FIFO or device. Returns 0,
 * -EFBIG beyond max bytes, -EILSEQ when it has a NUL byte, -EISDIR or -ENOTSUP when it is no
 * regular file, or what open(2) and read(2) say. */
int file_read(const char *path, size_t max, char **ret);

/* The names in dir that end in suffix and do not begin with a dot, sorted by strcmp, as an array of
 * strings (both for free(3); file_names_free() does). Returns 0, -E2BIG beyond max, or what
 * opendir(3) says. */
int file_names(const char *dir, const char *suffix, size_t max, char ***ret, size_t *ret_n);
void file_names_free(char **names, size_t n);

#endif
