/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_LAST_RESORT_H
#define TENURE_KEEPER_LAST_RESORT_H

/* What keeper and fence do about a group that SIGKILL does not end: see last_resort_due(). */

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"
#include "keeper/process.h"

struct last_resort_state {
    const struct keeper_config *config;
    const char *group;
    int sysrq_fd;  /* -1: not to be had, reboot(2) has to do */
    usec_t killed; /* USEC_INFINITY: not yet */
    usec_t kill;   /* K */
    bool alerted;
    bool reboot_logged;
};

/* As root; opens what a restart needs. */
void last_resort_init(struct last_resort_state *l, const struct keeper_config *config,
                      const char *group, usec_t kill);

/* What of the group is left, as found by a look just now. */
struct left {
    uint64_t children; /* cgroups; UINT64_MAX: not known */
    bool units_up;
    bool silent; /* PID 1 has not answered */
};

/* SIGKILL is due, and something is left. Does not return if it restarts the host. */
void last_resort(struct last_resort_state *l, const struct left *left);

#endif
