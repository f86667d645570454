/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_LOAD_H
#define TENURE_CONFIG_LOAD_H

/* From files to a model. */

#include "config/config.h"

/* What config_load() reads. */
struct config_paths {
    const char *main_file;
    const char *groups_dir; /* its *.conf files, sorted; may be missing */
    /* Where unit files are looked for, most important first, NULL at the end: to find out what a
     * timer, socket or path triggers. NULL: systemd's usual directories. */
    const char *const *unit_dirs;
};

/* Reads and checks main_file and groups_dir. Returns 0 and a new model; -EBADMSG when something is
 * wrong, a file that cannot be read included: problems then says what, with file and line, all of
 * it (a syntax error ends a file); -ENOMEM. *ret is set only on success. problems must be set up
 * (= {0}) and is the caller's to clear. */
int config_load(const struct config_paths *paths, struct config_problems *problems,
                struct tenure_config **ret);

/* Calls `found` with every file of groups_dir that config_load() does not read because of its name,
 * hidden ones aside, sorted. Returns 0, or negative errno; a directory that is missing has none. */
int config_each_ignored(const char *groups_dir, void (*found)(void *userdata, const char *file),
                        void *userdata);

/* Reads an applied configuration through the same checks, unit files aside: they may have changed
 * since. Returns as config_load(), and -ENOENT, without a problem, when there is no such file. */
int config_load_snapshot(const char *path, struct config_problems *problems,
                         struct tenure_config **ret);

/* What is applied, by the first of the files (NULL at the end) that can be read; *ret_from, if not
 * NULL, says which. Returns 0; -ENOENT: there is none of them; -EBADMSG: none that is there can be
 * used, and problems says why the first cannot; -ENOMEM. */
int config_load_applied(const char *const files[], struct config_problems *problems,
                        struct tenure_config **ret, size_t *ret_from);

#endif
