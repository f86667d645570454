/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/watchdog.h"

#include <assert.h>

#include "ctl/systemd.h"

#define TEXT_MAX 512

static bool any_requires(const struct tenure_config *c)
{
    for (size_t i = 0; i < c->n_groups; i++)
        if (c->groups[i].watchdog > 0)
            return true;
    return false;
}

/* A warning, no error: a group has to be declared, and so guarded, also where it cannot be led. */
size_t ctl_warn_watchdog(const struct ctl *ctl, const struct tenure_config *c)
{
    assert(ctl);
    assert(c);

    _cleanup_bus_ sd_bus *bus = NULL;
    char obstacle[TEXT_MAX];
    size_t n = 0;

    if (!any_requires(c) || systemd_open_bus(&bus, SYSTEMD_ASIDE_TIMEOUT_USEC) < 0)
        return 0;

    struct watchdog w = systemd_watchdog(bus);
    for (size_t i = 0; i < c->n_groups; i++) {
        const struct config_group *g = &c->groups[i];

        if (g->watchdog == 0)
            continue;
        watchdog_obstacle(&w, g->watchdog, obstacle, sizeof obstacle);
        if (!obstacle[0])
            continue;
        ctl_warn(ctl, "this host would not lead group \"%s\": %s", g->name, obstacle);
        n++;
    }
    return n;
}
