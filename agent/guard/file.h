/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GUARD_FILE_H
#define TENURE_GUARD_FILE_H

/* Writes UNIT.d/FILE below the open directory. Returns 0 or negative errno. */
int guard_file_write(int dir_fd, const char *unit, const char *file, const char *text);

#endif
