/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_PROPERTIES_H
#define TENURE_HOST_PROPERTIES_H

/* Effective properties of a unit, as PID 1 reports them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "base/usec.h"

struct sd_bus_message;

#define PROPERTY_MAX 32 /* the longest of the words below */
#define INVOCATION_ID_LEN 32

/* ExecStart= and the like, with what became of each command when it was run last. */
struct unit_commands {
    char *path;           /* of the first one; owned; NULL: there is none */
    unsigned n, n_clean;  /* clean: it ran, and exited with 0 */
    uint64_t fingerprint; /* of what they are, not of how they ended; 0: there is none */
    bool ran;             /* of the first one that is not clean: did it run at all, */
    int code, status;     /* and how did it end, as in siginfo_t */
};

/* Effective properties as PID 1 reports them; strings and lists it did not report are empty. */
struct unit_properties {
    char id[UNIT_NAME_LEN_MAX + 1];
    char load_state[PROPERTY_MAX];
    char active_state[PROPERTY_MAX];
    char slice[UNIT_NAME_LEN_MAX + 1];
    char kill_mode[PROPERTY_MAX];
    char restart[PROPERTY_MAX];
    char restart_mode[PROPERTY_MAX];      /* systemd >= 254 */
    char fd_store_preserve[PROPERTY_MAX]; /* systemd >= 254 */
    char type[PROPERTY_MAX];
    char timeout_stop_failure_mode[PROPERTY_MAX];
    char freezer_state[PROPERTY_MAX];
    char *fragment_path; /* owned, as all pointers here; NULL: not reported */
    char *source_path;
    char *pam_name;
    char *control_group;
    struct unit_commands exec_start, exec_stop, exec_stop_post;
    struct unit_commands exec_stop_pre; /* sockets */
    bool need_daemon_reload;
    bool send_sigkill;
    bool accept; /* sockets */
    int watchdog_signal;
    int final_kill_signal;
    usec_t timeout_stop;                    /* services */
    usec_t timeout_abort;                   /* services */
    usec_t timeout;                         /* sockets, mounts, swaps: TimeoutUSec */
    char invocation[INVOCATION_ID_LEN + 1]; /* "": it was not started, or systemd forgot it */
    char result[PROPERTY_MAX];
    bool remain_after_exit;
    usec_t inactive_exit, active_enter; /* the last of each, CLOCK_MONOTONIC; 0: never */
    char **binds_to, **after, **before, **wanted_by, **requires, **propagates_stop_to;
    char **wants, **upholds, **required_by, **bound_by;
    char **triggers, **triggered_by;
    char **environment, **environment_files;
    char **asserts_path_exists; /* plain ones: neither negated nor alternatives */
    char **drop_in_paths;
};

void unit_properties_clear(struct unit_properties *p);

/* By PID 1's ActiveState: nothing of the unit runs, as far as PID 1 knows. */
bool state_is_dead(const char *active_state);

/* Fills ret from the answer to Properties.GetAll(""). Returns 0 or negative errno. */
int properties_read(struct sd_bus_message *m, struct unit_properties *ret);

/* Where in p the property of this name is. The name is PID 1's word for it; of asserts, it is the
 * one in unit files. NULL: it is not read. What is there has the type that its reader writes. */
const void *properties_find(const struct unit_properties *p, const char *name);

#endif
