/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_DAEMON_H
#define TENURE_DAEMON_DAEMON_H

/* tenured: the only clock and the event loop. What arbiter, systemd and callers say becomes events
 * of the election's members; what the members want done goes out to them. No decision about
 * leadership is made here.
 *
 * Everything runs in the handlers of one sd_event loop. A handler only passes events on and asks
 * for daemon_wake(); what follows from the new state as a whole — the next tick, timers, STATUS=,
 * answers to Retire and Reload, the end — is done once per turn of the loop, by chores().
 *
 * All that calls back is wired up here: the other files of daemon/ call only files below them. */

#include "api/api.h"
#include "arbiter/arbiter.h"
#include "host/host.h"

/* The bus may learn of a new policy later than the agent starts. */
#define API_RETRY_USEC (10 * USEC_PER_SEC)
/* How often PID 1 is asked why this process is to end, before it just ends. */
#define JOB_QUESTIONS_MAX 3u
/* How long another agent's end, or room in /run, is waited for before the agent fails; and how
 * often it is tried meanwhile. */
#define INSTANCE_WAIT_USEC (10 * USEC_PER_SEC)
#define INSTANCE_RETRY_USEC (100 * USEC_PER_MSEC)
/* This host cannot run the agent: tenured.service is not to try again. */
#define EXIT_UNFIT_HOST 78

/* applied: files as of config_load_applied(). Returns the exit status. */
int daemon_run(const char *const applied[]);

/* What arbiter, host and API call; userdata is the struct daemon. */
extern const struct arbiter_handler daemon_arbiter_handler;
extern const struct host_handler daemon_host_handler;
extern const struct api_source daemon_api_source;

#endif
