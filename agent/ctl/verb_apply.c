/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb_apply.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/apply.h"
#include "ctl/apply_restore.h"
#include "ctl/options.h"

/* `systemctl reload tenured` shows its caller nothing of this, but where to look: there the last
 * line is this one. */
static int explain_failure(const struct ctl *ctl, int status)
{
    if (status != CTL_OK && ctl->to_journal)
        ctl_warn(ctl,
                 "the reload has failed for the reasons above; `sudo tenurectl apply` tries again "
                 "and says them on the terminal");
    return status;
}

int verb_apply(const struct ctl *ctl, int argc, char *argv[])
{
    _cleanup_free_ const char **release = calloc((size_t)argc + 1, sizeof(char *));
    struct apply_wishes w = {.release = release};
    bool if_missing = false, restore_only = false;
    const struct ctl_option options[] = {
        {.name = "if-missing", .flag = &if_missing},
        {.name = "restore", .flag = &restore_only},
        {.name = "force", .flag = &w.force},
        {.name = "dry-run", .flag = &w.dry_run},
        {.name = "release", .values = release, .n_values = &w.n_release, .room = (size_t)argc},
        {0},
    };
    if (!release)
        return ctl_fail(ctl, "out of memory");
    int r = ctl_options(ctl, argc, argv, options);
    if (r != 0)
        return r - 1;
    if (optind < argc || if_missing + restore_only + (w.n_release > 0 || w.force || w.dry_run) > 1)
        return ctl_usage(ctl,
                         "apply takes no argument: tenurectl apply [--if-missing | --restore | "
                         "[--dry-run] [--force] [--release GROUP]]");
    if (geteuid() != 0)
        return ctl_fail(ctl, "apply must be run as root");
    if (restore_only)
        return apply_restore(ctl);
    return if_missing ? apply_if_missing(ctl) : explain_failure(ctl, apply(ctl, &w));
}
