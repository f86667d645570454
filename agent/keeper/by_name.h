/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_BY_NAME_H
#define TENURE_KEEPER_BY_NAME_H

/* Ends the units of a group by their names, wherever their processes are. Two things together: a
 * stop job of PID 1's for each, which nothing replaces and which wins against Restart=; and SIGKILL
 * to the cgroups that have their names, again and again until those jobs are done, because a PID 1
 * that was busy starts a unit once more before it reads of the job. The second needs no help, so
 * processes end even while PID 1 hangs; only PID 1 could start them again, and it hangs.
 *
 * Nothing here waits: a step does what can be done at once. */

#include "base/usec.h"
#include "keeper/command.h"
#include "keeper/declared.h"
#include "keeper/tree.h"

/* Between two looks at the cgroups. */
#define BY_NAME_INTERVAL_USEC (20 * USEC_PER_MSEC)
/* Between two looks whether a command has ended. */
#define BY_NAME_COMMAND_USEC (5 * USEC_PER_MSEC)
/* After this, doubling, PID 1 is asked whether all is dead, or gets the stop again that it did not
 * take. */
#define BY_NAME_PAUSE_MIN_USEC (20 * USEC_PER_MSEC)
#define BY_NAME_PAUSE_MAX_USEC (1 * USEC_PER_SEC)

enum by_name_phase {
    BY_NAME_STOP, /* PID 1 shall stop them */
    BY_NAME_ASK,  /* is each inactive or failed, without a job? */
    BY_NAME_DONE, /* so it says, and no cgroup of theirs has a process */
};

struct by_name {
    const struct declared *units;
    const char *cgroup_root;
    const char *except;    /* as in tree_look() */
    const char *systemctl; /* a path */
    usec_t kill_time;      /* absolute; may be changed at any time */

    enum by_name_phase phase;
    struct command command; /* of this phase */
    usec_t next;            /* no other one before */
    usec_t pause;
    size_t n_said; /* units in the answer so far */
    int busy;      /* the first that is not dead, -1: none so far */
    bool astray;   /* one is not dead, and has no job that would end it */

    struct tree tree; /* as of the last look */
    usec_t look_at;   /* the next one */
    int tree_error;
    bool cannot_run_logged;
};

struct by_name by_name_begin(const struct declared *units, const char *cgroup_root,
                             const char *except, const char *systemctl, usec_t kill_time);

/* Kills what is to be killed, then goes on with PID 1. Returns whether all is done. */
bool by_name_step(struct by_name *b, usec_t now);

/* The next step, absolute; USEC_INFINITY when all is done. */
usec_t by_name_wakeup(const struct by_name *b, usec_t now);

/* A unit that is not dead, by PID 1's last answer; NULL: it did not say. */
const char *by_name_left(const struct by_name *b);

/* Ends what is under way. What PID 1 has taken it will do all the same. */
void by_name_end(struct by_name *b);

#endif
