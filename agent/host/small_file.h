/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_SMALL_FILE_H
#define TENURE_HOST_SMALL_FILE_H

/* Small files, and such as another process may be writing just now. */

#include <stddef.h>
#include <sys/types.h>

/* Reads all of it. Returns the length, -E2BIG when it does not fit, or another negative errno. */
ssize_t small_file_read(const char *path, char *ret, size_t size);

/* One reading of a whole small file. Returns its length or negative errno. */
typedef ssize_t (*small_reader)(const void *from, char *ret, size_t size);

/* What somebody may be writing just now: believed when two readings in a row agree. -EAGAIN: not
 * even of three, so nothing is known; or what the reader said last. size: at most that of a ticket
 * and one more. */
ssize_t read_settled(small_reader reader, const void *from, char *ret, size_t size);

#endif
