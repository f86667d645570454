/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_KEEPER_FIXTURE_H
#define TENURE_TESTS_KEEPER_FIXTURE_H

/* The keeper and its fence as they run, against files that play the cgroup, a socket that plays
 * PID 1, and the real clock. Bounds on how long something may take are generous: they are there to
 * tell "at the deadline" from "never", not to measure. Several programs, as most of their time is
 * spent waiting. */

#include <sys/types.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/stops.h"
#include "base/ticket.h"
#include "keeper/fence.h"
#include "keeper/process.h"
#include "keeper/stop.h"
#include "support/file.h"
#include "support/folder.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/text.h"
#include "support/wait.h"

#define GROUP "my-group"
#define INSTANCE "my-group"
#define LEASE ((usec_t)2500000)
#define STOP ((usec_t)600000)
#define KILL (LEASE / 10) /* K */
#define TERM ((uint64_t)4294967297)
#define PATIENCE ((usec_t)5000000) /* for what has to come */
#define A_WHILE ((usec_t)150000)   /* for what must not come */
#define SOME_UID 4321              /* another user, when the tests are root */
#define TIME_LIMIT 30              /* of a test, in seconds */

/* In the temporary folder. */
#define TICKETS "tickets/"
#define RUNTIME "groups/" GROUP "/"
#define STOPS "instance/stops." GROUP
#define CGROUP "tenure.slice/tenure-my\\x2dgroup.slice/"

extern struct keeper_config config; /* of the processes to come */
extern pid_t keeper;                /* or the fence; -1: there is none to kill at the end */
extern char notified[4096];         /* every message for PID 1 so far */
extern int barrier_fd;              /* what came with BARRIER=1; -1 before */

/* All that a keeper needs, but for a ticket. */
void set_up(void);
void tear_down(void);

/* ---- the surroundings ---- */

/* How many cgroups are below the slice; with processes in them, if there are any. */
void set_children(int n);
/* Otherwise. */
void set_populated(bool populated);
/* What the agent says, in a file as it writes it. */
void put_stops(uint64_t term, enum stops stops);
/* As PID 1 does for what is not inactive. */
void set_up_unit(const char *name, bool up);
/* The slice. */
bool killed(void);
/* Waits for that, until the end at most; when it was seen. */
usec_t wait_killed(usec_t end);
bool state_there(void);

/* ---- the agent's side ---- */

/* A good one, from now. */
struct ticket a_ticket(void);
void put_ticket(const struct ticket *t);
void send_bytes(const void *bytes, size_t length);
void send_verb(enum keeper_verb verb, uint64_t term, usec_t deadline);

/* ---- the keeper's life ---- */

/* keeper_run() or fence_run(), in a process. */
void start_process(int (*run)(const struct keeper_config *));
bool exited(int *ret_status);
int wait_exit(void);
/* Takes in one message for PID 1; false when none comes within the span. */
bool take_notification(usec_t span);
/* Waits for the text to turn up among the messages for PID 1; when it did. */
usec_t wait_notified(const char *text);
void answer_barrier(void);
/* A keeper that leads; its ticket. */
struct ticket start_leading(void);
usec_t deadline_in_state(void);
void wait_deadline_in_state(usec_t deadline);

/* ---- the last resort ---- */

/* As fence = "reboot" wants. What would restart the host leaves the files "asked" and "restarted";
 * a file "forbidden" denies it. */
void fence_by_reboot(void);
bool restarted(void);
/* Until the restart; when that was. */
usec_t wait_restart(void);
/* What the button of the last resort got. */
const char *pressed(void);

#endif
