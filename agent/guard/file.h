/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GUARD_FILE_H
#define TENURE_GUARD_FILE_H

/* One drop-in in its directory, complete or not at all: an incomplete one would hide the complete
 * one of the other copy. */

/* PID 1 reads nothing that does not end in ".conf". */
#define GUARD_FILE_STAGED "~tenure.new"

/* Makes UNIT.d below the open directory. Returns 1; 0 if it was there; negative errno. */
int guard_file_make_directory(int dir_fd, const char *unit);

/* Opens UNIT.d, but no link to elsewhere. Returns the descriptor or negative errno. */
int guard_file_open_directory(int dir_fd, const char *unit);

/* Writes GUARD_FILE_STAGED in the open directory UNIT.d, readable by all users. Returns 0 or
 * negative errno; then there is none. */
int guard_file_stage(int drop_ins_fd, const char *text);

/* Gives the staged file its name. Same returns. */
int guard_file_publish(int drop_ins_fd, const char *file);

/* All of these steps: UNIT.d/FILE below the open directory. Same returns. */
int guard_file_write(int dir_fd, const char *unit, const char *file, const char *text);

#endif
