/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_VIEW_H
#define TENURE_HOST_VIEW_H

/* What is found of a group and its units. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "base/stops.h"
#include "base/ticket.h"
#include "base/usec.h"
#include "election/host_state.h"

#define HOST_PROBLEM_MAX 512
#define HOST_TEXT_MAX 512
#define HOST_UNITS_MAX 64 /* of one group */

struct unit_view {
    char name[UNIT_NAME_LEN_MAX + 1];
    char active_state[16];
    char sub_state[24];
    bool dead;     /* inactive or failed, and no job is queued for it */
    bool stays;    /* it is up, and PID 1 is not about to stop it */
    bool may_rest; /* inactive is in order: a unit of the group starts it, or a oneshot is done */
};

/* What was found of one group: what the election has of it, and what operators see. */
struct group_view {
    struct host_state state; /* by the last complete answer; keeper_ours is left to the agent */
    /* The keeper is being stopped, or was, or ended at its deadline: it did not fail. */
    bool keeper_stopped;
    char keeper_owner[OWNER_MAX + 1]; /* whose term it is, where state.keeper_term is known */
    /* Whether the stops of its units prove that nothing of them is left, be it a process or not:
     * STOPS_OPEN from the start of the keeper until host_end_term(), and from then on
     * until all units are dead and judged. */
    enum stops stops;
    bool ending;                 /* host_end_term() was called since the start */
    uint64_t stops_term;         /* of which term; 0: none */
    char left[HOST_PROBLEM_MAX]; /* STOPS_LEFT: of which unit, and why not */
    /* A unit is up whose stop will not prove that: which one, and why. By the last check; "": there
     * is none. */
    char doubt[HOST_PROBLEM_MAX];
    /* Which property of which unit is wrong, if state.guarded is false; "" if it is true. It is
     * false as long as the guards were not checked since the last daemon-reload. */
    char problem[HOST_PROBLEM_MAX];
    bool unguarded; /* the guards are known not to be as they must be, rather than not known */
    /* The group requires the hardware watchdog, which is known to be off or too slow. The group is
     * not guarded then, and problem says why if nothing else is wrong. */
    bool unarmed;
    bool lost; /* unguarded, because what the drop-ins of units and keeper say is not in effect */
    char lost_copy[HOST_PROBLEM_MAX]; /* which copy of which guards is lost; "" none */
    size_t n_units;
    const struct unit_view *units; /* in the order of host_add_group() */
};

#endif
