/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_IO_H
#define TENURE_BASE_IO_H

#include <stddef.h>

/* Writes all of it, however many calls that takes. Returns 0, or negative errno: then a part of it
 * may have been written. */
int write_all(int fd, const void *bytes, size_t n);

#endif
