/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_STATUS_JSON_H
#define TENURE_CTL_STATUS_JSON_H

/* What the agent shows, for programs; and what can be shown while it does not answer. */

#include <stdio.h>

#include "ctl/agent.h"
#include "ctl/systemd.h"

/* What is known while the agent does not answer. */
struct silence {
    bool runs_not; /* the agent; false: it does, or that is not known */
    char why[512];
    const char *group; /* the one that was asked for; NULL: all */
    struct silent_keeper {
        char group[GROUP_NAME_MAX + 1];
        char active_state[ACTIVE_STATE_SIZE];
    } * keepers; /* those that live */
    size_t n_keepers;
    bool knows_keepers;
    bool out_of_memory;
};

/* What a keeper in this state does: the rest of a sentence after "its keeper" or "The keeper of
 * ...". */
const char *status_of_keeper(const char *active_state);

/* All groups, or only one. The keys are described in tenurectl(8) and stay. Returns 0, -ENOMEM or
 * -EIO. */
int status_print_json(FILE *f, const struct agent_view *v, const struct watchdog *w,
                      const struct agent_group *only);

/* The same keys: null is what only the agent knows. Same returns. */
int status_print_silence(FILE *f, const struct silence *s);

#endif
