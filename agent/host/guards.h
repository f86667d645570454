/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_GUARDS_H
#define TENURE_HOST_GUARDS_H

/* Are the guards that tenure-generator wrote in effect? Pure: effective properties of a unit in, a
 * verdict and its reason out. */

#include <stdbool.h>
#include <stddef.h>

#include "base/names.h"
#include "base/usec.h"
#include "host/host.h"

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

/* What the guards of one group must be. All strings are borrowed. */
struct guards {
    const char *group;
    const char *keeper_unit;
    const char *slice_unit;
    const struct unit_view *units; /* the declared ones: only their names count */
    size_t n_units;
    usec_t stop;
};

enum guard_verdict {
    GUARDS_GOOD,
    GUARDS_WRONG,   /* not fit for a start: a unit is missing, changed, or of a kind that cannot be
                       led */
    GUARDS_LOST,    /* what the drop-ins say is not in effect, whatever else is wrong */
    GUARDS_OUTSIDE, /* it runs, and not in the group's slice, whatever else is wrong */
};

/* GUARDS_GOOD when all is as it must be; else problem names unit, property, value, what would be
 * right, and what to do. */
enum guard_verdict guards_of_unit(const struct guards *g, const char *unit,
                                  const struct unit_properties *p,
                                  char problem[static HOST_PROBLEM_MAX]);
enum guard_verdict guards_of_keeper(const struct guards *g, const struct unit_properties *p,
                                    char problem[static HOST_PROBLEM_MAX]);
enum guard_verdict guards_of_slice(const struct guards *g, const struct unit_properties *p,
                                   char problem[static HOST_PROBLEM_MAX]);

/* Parts of it, for whoever looks at a unit that has no guards yet. With the reason if not: is it
 * loaded; can it be led at all, by what its own files say; is it not frozen, or such that it starts
 * all the same? */
bool guards_loaded(const char *unit, const struct unit_properties *p,
                   char problem[static HOST_PROBLEM_MAX]);
bool guards_can_be_led(const char *unit, const struct unit_properties *p,
                       char problem[static HOST_PROBLEM_MAX]);
bool guards_thawed(const char *unit, const struct unit_properties *p,
                   char problem[static HOST_PROBLEM_MAX]);

/* Nothing of it is guarded any more: what its drop-in says is not in effect, or it has lost its
 * files while it is up. */
bool guards_are_bare(const struct guards *g, const char *unit, const struct unit_properties *p);

/* Does PID 1 go by the generator's copy of the drop-in? Of two files of one name it reads one. */
bool guards_by_generator(const char *unit, const struct unit_properties *p);

/* Is it in order that this unit is inactive while its group is led: because another unit of the
 * group starts it when it is time, or because it is a oneshot, which does its work and is done? */
bool guards_may_rest(const struct guards *g, const struct unit_properties *p);

#endif
