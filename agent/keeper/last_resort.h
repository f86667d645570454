/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_LAST_RESORT_H
#define TENURE_KEEPER_LAST_RESORT_H

/* What keeper and fence do about a group that SIGKILL does not end: see last_resort_due(). */

#include <stdbool.h>

#include "base/usec.h"
#include "keeper/keeper_config.h"
#include "keeper/rules.h"

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

/* Another K, before SIGKILL is due. */
void last_resort_set(struct last_resort_state *l, usec_t kill);

/* SIGKILL is due, and the look, just now, found that the group is not gone. Does not return if it
 * restarts the host. */
void last_resort(struct last_resort_state *l, const struct keeper_look *look);

#endif
