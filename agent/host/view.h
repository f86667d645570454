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

/* How many copies of the guards there are, and whether they are in effect: by an answer of PID 1.
 */
enum guards_found {
    HOST_GUARDS_UNKNOWN, /* not checked since the last daemon-reload, or it does not answer */
    HOST_GUARDS_WHOLE,   /* in effect, and both copies are there */
    HOST_GUARDS_PART,    /* every unit is guarded, but a copy is lost, or the keeper's side is */
    HOST_GUARDS_BARE,    /* a declared unit is not guarded */
};

/* What was found of one group by the last complete answer. */
struct group_view {
    usec_t asked_at; /* CLOCK_BOOTTIME just before the question was sent; 0: never answered */
    enum keeper_presence keeper;
    bool keeper_queued; /* it is inactive or failed, but a job for it waits (KEEPER_BUSY) */
    bool
        keeper_stopped; /* it is being stopped, or was, or ended at its deadline: it did not fail */
    bool has_state;     /* the keeper's state file exists and could be read: state holds it */
    struct ticket state;
    bool units_dead;  /* every declared unit is inactive or failed, with no job */
    bool units_stay;  /* a declared unit is up, and PID 1 is not about to stop it */
    bool slice_empty; /* the group's slice has no processes, looked at when every unit was dead;
                         while one is not, no child cgroups either; or it does not exist */
    /* Whether the stops of its units prove that nothing of them is left, what is no process
     * included: STOPS_OPEN from the start of the keeper until host_end_term(), and from then on
     * until all units are dead and judged. */
    enum stops stops;
    bool ending;                 /* host_end_term() was the last of these two */
    uint64_t stops_term;         /* of which term; 0: none */
    char left[HOST_PROBLEM_MAX]; /* STOPS_LEFT: of which unit, and why not */
    /* A unit is up whose stop will not prove it: which, and why. Of the last check; "" for none. */
    char doubt[HOST_PROBLEM_MAX];
    /* The guards are in effect: effective properties of the units are as the generator wrote them.
     * False as long as not checked since the last daemon-reload; then problem says so. */
    bool guarded;
    char problem[HOST_PROBLEM_MAX]; /* which property of which unit is wrong, "" if guarded */
    bool unguarded; /* it is known that they are not as they must be, and not only that it is
                       unknown */
    /* The group requires the hardware watchdog, and it is known not to do. It is not guarded then,
     * and problem says why if nothing else is wrong. */
    bool unarmed;
    bool lost; /* unguarded, because what the drop-ins of units and keeper say is not in effect */
    enum guards_found guards;
    bool outside;           /* a unit runs, and not in the group's slice */
    usec_t guards_asked_at; /* CLOCK_BOOTTIME just before PID 1 was asked for these; 0: unknown */
    char lost_copy[HOST_PROBLEM_MAX]; /* which copy of which guards is lost; "" none */
    size_t n_units;
    const struct unit_view *units; /* in the order of host_add_group() */
};

#endif
