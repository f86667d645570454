/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_SMALL_FILE_H
#define TENURE_HOST_SMALL_FILE_H

/* Small files, also while another process writes them. */

#include <stddef.h>
#include <sys/types.h>

/* Reads all of it. Returns the length, -E2BIG when it does not fit, or another negative errno. */
ssize_t small_file_read(const char *path, char *ret, size_t size);

/* One reading of a whole small file. Returns its length or negative errno. */
typedef ssize_t (*small_reader)(const void *from, char *ret, size_t size);

/* Reads a file that another process may be writing: it is believed when two readings in a row
 * agree. Returns the length; -EAGAIN when no two of three do, so nothing is known; or the reader's
 * last error. size: at most that of a ticket and one more. */
ssize_t read_settled(small_reader reader, const void *from, char *ret, size_t size);

#endif
