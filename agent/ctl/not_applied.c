/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/not_applied.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config/load.h"
#include "ctl/password.h"

/* Groups that are not the same in both. Without memory: none. */
static size_t count_differences(const struct tenure_config *applied,
                                const struct tenure_config *files)
{
    _cleanup_free_ struct config_difference *list = NULL;
    size_t n = 0, found = 0;

    if (config_diff(applied, files, &list, &n) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        found += list[i].change != CONFIG_UNCHANGED;
    return found;
}

void ctl_warn_not_applied(const struct ctl *ctl, const struct tenure_config *applied,
                          const struct tenure_config *files)
{
    assert(ctl);
    assert(applied);
    assert(files);

    size_t n = count_differences(applied, files);

    if (strcmp(applied->node, files->node) != 0)
        ctl_warn(ctl,
                 "this node is \"%s\" by the files or the host's name, and \"%s\" in what is "
                 "applied: the next apply steps down from all groups",
                 files->node, applied->node);
    if (n > 0)
        ctl_warn(ctl,
                 "%zu group%s of the files differ%s from what is applied: tenurectl apply "
                 "--dry-run says what would come of it",
                 n, n == 1 ? "" : "s", n == 1 ? "s" : "");
    if (strcmp(applied->arbiter.conninfo, files->arbiter.conninfo) != 0 ||
        applied->arbiter.require_sync != files->arbiter.require_sync ||
        applied->arbiter.allow_unverified != files->arbiter.allow_unverified ||
        (applied->arbiter.unjudged && files->arbiter.decided &&
         ctl_needs_protection(&files->arbiter)))
        ctl_warn(ctl, "the arbiter of the files is not the one that is applied: tenurectl apply "
                      "--dry-run says what would come of it");
    else if (applied->arbiter.unjudged && ctl_exposes_password(&applied->arbiter))
        ctl_warn(ctl,
                 "an earlier version has applied this arbiter, or a start with nothing "
                 "applied: the agent's password goes in "
                 "clear text to any server that answers and asks for it so, until tenurectl apply");
}

void ctl_warn_files_differ(const struct ctl *ctl)
{
    assert(ctl);

    _cleanup_problems_ struct config_problems of_files = {0}, of_applied = {0};
    _cleanup_config_ struct tenure_config *files = NULL, *applied = NULL;
    /* What units trigger makes files wrong, not different, and takes long to read. */
    static const char *const no_dirs[] = {NULL};
    const struct config_paths paths = {.main_file = ctl->paths.main_file,
                                       .groups_dir = ctl->paths.groups_dir,
                                       .unit_dirs = no_dirs};

    if (access(ctl->paths.main_file, R_OK) < 0 || access(ctl->applied[0], R_OK) < 0 ||
        config_load_applied(ctl->applied, &of_applied, &applied, NULL) < 0)
        return;
    int r = config_load(&paths, &of_files, &files);
    if (r == 0)
        ctl_warn_not_applied(ctl, applied, files);
    else if (r == -EBADMSG)
        ctl_warn(ctl, "the files that the next apply reads have %zu problem%s: see tenurectl check",
                 of_files.n + of_files.n_more, of_files.n + of_files.n_more == 1 ? "" : "s");
}
