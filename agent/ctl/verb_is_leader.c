/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/systemd.h"

enum answer { NO, YES, NO_GROUP };

/* By what guards its keeper, which is there with the agent or without. Returns NO, NO_GROUP or
 * negative errno. */
static int group_is_here(sd_bus *bus, const char *group, const char *unit)
{
    char slice[UNIT_NAME_LEN_MAX + 1];
    int r = group_slice_unit(group, slice, sizeof slice);

    if (r >= 0)
        r = systemd_requires(bus, unit, slice);
    return r < 0 ? r : r > 0 ? NO : NO_GROUP;
}

/* The agent is not asked: it may be dead while the keeper and the units live on, by right. Returns
 * the answer or negative errno. */
static int keeper_leads(sd_bus *bus, const char *group)
{
    char unit[UNIT_NAME_LEN_MAX + 1], state[ACTIVE_STATE_SIZE];
    char path[256];
    int r = group_keeper_unit(group, unit, sizeof unit);

    if (r < 0)
        return r;
    r = systemd_active_state(bus, unit, state, sizeof state);
    if (r < 0)
        return r;
    if (strcmp(state, "active") != 0)
        return group_is_here(bus, group, unit);
    /* Removed before anything else when a term ends: active alone may be a moment old. */
    (void)snprintf(path, sizeof path, TENURE_GROUPS_DIR "/%s/" KEEPER_STATE_FILE, group);
    if (access(path, F_OK) == 0)
        return YES;
    return errno == ENOENT || errno == ENOTDIR ? NO : -errno;
}

int verb_is_leader(const struct ctl *ctl, int argc, char *argv[])
{
    _cleanup_bus_ sd_bus *bus = NULL;
    int r = ctl_options(ctl, argc, argv, NULL);

    if (r != 0)
        return r - 1;
    if (argc - optind != 1)
        return ctl_usage(ctl, "is-leader takes one group: tenurectl is-leader GROUP");
    if (!group_name_valid(argv[optind]))
        return ctl_usage(ctl, "\"%s\" is no name of a group", argv[optind]);

    r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = keeper_leads(bus, argv[optind]);
    if (r == NO_GROUP)
        return ctl_no_group(ctl, argv[optind]);
    if (r < 0) {
        (void)ctl_fail(ctl, "cannot ask systemd: %s", strerror(-r));
        return CTL_UNKNOWN;
    }
    return r == YES ? CTL_OK : CTL_FAILED;
}
