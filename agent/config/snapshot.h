/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_SNAPSHOT_H
#define TENURE_CONFIG_SNAPSHOT_H

/* From a model to the files of an applied configuration. */

#include "config/config.h"

/* Writes the model to path, atomically and durably (temporary file, fsync, rename, fsync of the
 * directory), mode 0640. The group becomes that of the user "tenure" when the caller is root and
 * there is one. Returns 0 or negative errno; a file that could not be replaced is as it was. */
int config_write_snapshot(const struct tenure_config *c, const char *path);

/* Where would config_write_applied() write? Changes nothing, except that it makes directories. That
 * is the file itself; or, where that cannot be written at all (a root file system that is
 * read-only), and neither it nor its copy is there from before, which would count: the volatile
 * one. *ret_where: which one. *ret_error: 0, or why it is not the file itself. Returns 0, or
 * negative errno: *ret_where is then the file that cannot be written, or the older one that cannot
 * be removed and would count after the next boot. */
int config_find_place(const char *const files[], size_t *ret_where, int *ret_error);

/* Writes the file itself and its copy in that way, makes their directories if need be, and removes
 * the others; or writes the volatile one, and removes the older ones. *ret_where, and what it
 * returns: as of config_find_place(). *ret_error: 0, or why the copy, or with the volatile one the
 * file itself, could not be written: that is no failure, and there is no such file then. */
int config_write_applied(const struct tenure_config *c, const char *const files[],
                         size_t *ret_where, int *ret_error);

/* Writes the file itself and its copy in that way, and removes nothing: for what is applied
 * already. *ret_error: 0, or why the copy could not be written. Returns 0 or negative errno, of the
 * file itself. */
int config_restore_applied(const struct tenure_config *c, const char *const files[],
                           int *ret_error);

#endif
