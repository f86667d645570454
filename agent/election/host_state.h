/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_HOST_STATE_H
#define TENURE_ELECTION_HOST_STATE_H

/* The one model of a host: what PID 1 said about a group when it was last polled. */

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"
#include "election/heal.h"

enum keeper_presence {
    KEEPER_UNKNOWN, /* nobody has answered yet */
    KEEPER_GONE,    /* inactive or failed, and no job is queued for it */
    KEEPER_BUSY,    /* activating, deactivating, or a job is queued */
    KEEPER_ACTIVE,
};

/* This host, as the last answer of PID 1 showed it. */
struct host_state {
    usec_t asked_at; /* CLOCK_BOOTTIME just before PID 1 was polled; 0: no answer yet */
    enum keeper_presence keeper;
    bool keeper_queued;   /* nothing of it runs, but PID 1 has a job for it that waits */
    uint64_t keeper_term; /* from the keeper's state file; 0: there is none */
    bool keeper_ours;     /* the state file names this very owner */
    bool keeper_fixed;    /* it is of a version that keeps the lease it began with */
    usec_t keeper_lease, keeper_stop, keeper_duration, keeper_deadline;
    bool units_dead; /* all are inactive or failed, and no job is queued for them */
    bool units_stay; /* one is up, and PID 1 is not about to stop it */
    /* The slice has no processes when all units are dead; no child cgroups either while one is not.
     * Or it does not exist. */
    bool slice_empty;
    bool open; /* a term's stops: systemd has yet to say whether they prove that nothing is left */
    bool left; /* although all is dead, something of it that is no process may be left */
    bool guarded; /* by a check since the last daemon-reload: the guards of all units are in effect
                   */
    struct guards_seen guards;
};

#endif
