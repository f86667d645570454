/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/state.h"

#include <string.h>

void daemon_wake(struct daemon *d)
{
    /* Cannot fail: the source exists. */
    (void)sd_event_source_set_enabled(d->chores, SD_EVENT_ONESHOT);
}

struct group *daemon_group(const struct daemon *d, const char *group)
{
    size_t low = 0, high = d->n_groups;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = strcmp(d->groups[middle]->config->name, group);

        if (c == 0)
            return d->groups[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
