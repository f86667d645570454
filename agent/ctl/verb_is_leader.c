/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb_is_leader.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/options.h"
#include "ctl/systemd.h"
#include "guard/remember.h"

enum answer { NO, YES, NO_GROUP };

/* Judged by the guards of its keeper, which are there with the agent or without; where they are
 * lost, by what was applied since the boot. Returns NO, NO_GROUP or negative errno. */
static int group_is_here(const struct ctl *ctl, sd_bus *bus, const char *group, const char *unit)
{
    char slice[UNIT_NAME_LEN_MAX + 1];
    int r = group_slice_unit(group, slice, sizeof slice);

    if (r >= 0)
        r = systemd_requires(bus, unit, slice);
    if (r != 0)
        return r < 0 ? r : NO;
    return guard_remembers_group(ctl->remember_dir, group) ? NO : NO_GROUP;
}

/* By the keeper of this name. Returns YES, NO, NO_GROUP when it does not live, or negative errno.
 */
static int leads_by(sd_bus *bus, const char *group, const char *unit)
{
    char state[ACTIVE_STATE_SIZE], path[256];
    int r = systemd_active_state(bus, unit, state, sizeof state);

    if (r < 0)
        return r;
    if (strcmp(state, "active") != 0)
        return strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0 ? NO_GROUP : NO;
    /* Removed before anything else when a term ends: active alone may be a moment old. */
    (void)snprintf(path, sizeof path, TENURE_GROUPS_DIR "/%s/" KEEPER_STATE_FILE, group);
    if (access(path, F_OK) == 0)
        return YES;
    return errno == ENOENT || errno == ENOTDIR ? NO : -errno;
}

/* The agent is not asked: it may be dead while the keeper and the units live on, by right. Returns
 * the answer or negative errno. */
static int keeper_leads(const struct ctl *ctl, sd_bus *bus, const char *group)
{
    char unit[UNIT_NAME_LEN_MAX + 1], earlier[UNIT_NAME_LEN_MAX + 1];
    int r = group_keeper_unit(group, unit, sizeof unit);

    if (r >= 0)
        r = leads_by(bus, group, unit);
    if (r == NO_GROUP && group_earlier_keeper_unit(group, earlier, sizeof earlier) >= 0)
        r = leads_by(bus, group, earlier);
    return r == NO_GROUP ? group_is_here(ctl, bus, group, unit) : r;
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
        r = keeper_leads(ctl, bus, argv[optind]);
    if (r == NO_GROUP)
        return ctl_no_group(ctl, argv[optind]);
    if (r < 0) {
        (void)ctl_fail(ctl, "cannot ask systemd: %s", strerror(-r));
        return CTL_UNKNOWN;
    }
    return r == YES ? CTL_OK : CTL_FAILED;
}
