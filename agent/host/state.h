/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_STATE_H
#define TENURE_HOST_STATE_H

/* What the files of this folder share; no other part includes it. A file uses those below it:
 *
 *   host.c         the pump, the one place that decides what to ask next; groups come and go
 *   connection.c   the bus: connect, notice its loss, connect again
 *   signals.c      signals of PID 1 -> which group to poll
 *   poll.c         ListUnitsByNames, then cgroups and state files
 *   guard_check.c  properties of units (properties.c) -> guards.c, which judges them
 *   control.c      StartUnit, StopUnit
 *   heal.c         the job that has PID 1 read the guards again
 *   own_job.c      what systemd does with the agent itself
 *   proof.c        the end of a term -> stops.c: is anything left?
 *   ended.c        the same for units whose run ends in the middle of a term
 *   polkit.c       does it answer?
 *   keeper_link.c  tickets and datagrams
 *   groups.c       the groups, their units, and what is known of them
 *   call.c         one asynchronous call with its limit
 *
 * Below these are files that know nothing of the struct: guards.c, stops.c and survey.c judge what
 * properties.c has read; ticket_files.c, keeper_files.c, stops_file.c, slice.c and drop_in.c know
 * one kind of file each; device.c, instance_id.c and kernel.c what the kernel says of the host. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/names.h"
#include "base/usec.h"
#include "base/watchdog.h"
#include "host/call.h"
#include "host/guards.h"
#include "host/host.h"
#include "host/stops.h"

#define POLL_GROUPS_MAX 256 /* groups in one poll */

struct watched_group;

/* A unit whose signals matter: a declared one, or the keeper. */
struct watched {
    char *path; /* D-Bus object path; owned */
    struct watched_group *group;
    uint32_t job;           /* from the last answer */
    struct unit_view *view; /* in the group's view, or its `keeper` */
};

/* What a check found, over all units and the keeper. */
struct findings {
    usec_t asked_at;
    enum guard_verdict verdict;
    bool bare, outside;
    char lost_copy[HOST_PROBLEM_MAX];
};

enum heal_phase {
    HEAL_NONE,
    HEAL_WANTED,  /* PID 1 is to be asked for it */
    HEAL_ASKED,   /* not answered yet */
    HEAL_RUNNING, /* the job was queued, or it is not known that it was not: is it over? */
};

/* Of a unit: the judgement of a run that is over although the term is not. */
struct ended {
    bool wanted; /* it may have run since it was judged last */
    usec_t run;  /* whose stop is proven, if the next poll finds all as it was; 0: none */
    usec_t asked_at;
    uint64_t generation;
};

struct watched_group {
    char name[GROUP_NAME_MAX + 1];
    char keeper_unit[UNIT_NAME_LEN_MAX + 1];
    char slice_unit[UNIT_NAME_LEN_MAX + 1];
    char stop_unit[UNIT_NAME_LEN_MAX + 1]; /* what ends strays */
    usec_t stop;
    usec_t watchdog; /* required, with this time at most; 0: not */

    struct group_view view;
    struct unit_view *units; /* owned; view.units */
    struct unit_view keeper; /* its state as PID 1 names it */
    struct watched *watched; /* owned: the keeper, then the units */

    bool poll_wanted;
    bool poll_alone;   /* a poll that named it was refused: it must not spoil those of others */
    usec_t poll_at;    /* then it is polled again, whatever happens */
    usec_t poll_retry; /* the last delay of a retry, 0: none yet */

    uint64_t checked;  /* generation the guards were checked for, 0: never */
    bool recheck;      /* once more at check_at, although it was checked */
    uint64_t checking; /* generation of the check under way, 0: none */
    size_t check_step; /* next: 0 the slice, 1 the keeper, 2… the units */
    bool check_in_flight;
    usec_t check_at; /* not before, after a call that failed */
    usec_t check_retry;
    char check_problem[HOST_PROBLEM_MAX];
    struct findings found;
    /* Of the check under way: the worst so far. */
    char checking_problem[HOST_PROBLEM_MAX];
    struct findings finding;

    /* Of each unit, owned: what the last check saw of it; what it began as in this term. */
    struct stop_seen *seen;
    struct stop_began *began;
    usec_t seen_at; /* counts if a later poll finds all as it was; 0: none, or taken into account */
    uint64_t seen_generation;
    bool stops_changed;        /* the file has to be written */
    int stops_error;           /* of the last attempt; it was logged */
    bool was_active;           /* the keeper, since it was started */
    bool inherited;            /* an earlier agent's term, which it had not judged */
    bool judging;              /* when all units are dead */
    bool judge_in_flight;      /* a question about one unit */
    bool judge_stale;          /* and it is of an earlier judgement */
    bool judged;               /* all were asked: counts if the next poll finds all as it was */
    size_t judge_step;         /* next unit */
    uint64_t judge_generation; /* in which they were asked */
    usec_t judged_at;
    usec_t judge_at, judge_retry; /* not before, after a call that failed */
    char judge_problem[HOST_PROBLEM_MAX];
    bool judge_all;      /* it is not known for sure what the units began as */
    usec_t ending_since; /* as of view.ending */

    struct ended *ended; /* of each unit, owned */
    bool ended_in_flight;
    size_t ended_step; /* the unit that PID 1 is asked about */
    usec_t ended_at;   /* not before, after a call that failed */

    bool start_wanted, start_in_flight;
    bool start_checked; /* since the start was asked for */
    usec_t start_until;
    bool stop_wanted, stop_in_flight;
    bool strays_wanted, strays_in_flight;
};

/* The poll under way. */
struct poll {
    bool in_flight;
    usec_t asked_at;
    size_t n;
    struct {
        struct watched_group *group; /* NULL: removed since */
        size_t n_units;
    } of[POLL_GROUPS_MAX];
};

struct host {
    sd_event *event;
    const struct host_handler *handler;
    void *userdata;

    sd_bus *bus;
    bool connected;
    usec_t connect_backoff;
    sd_event_source *connect_timer; /* the next attempt, or the end of this one */

    bool subscribed, subscribe_in_flight;
    usec_t subscribe_at;

    struct calls calls;
    size_t n_check_calls;

    struct watched_group **groups; /* sorted by name */
    size_t n_groups;
    struct watched **paths; /* sorted by path; into the groups */
    size_t n_paths;

    sd_event_source *pump;  /* deferred: after whatever else this turn brings */
    sd_event_source *timer; /* the next thing that is due by time */

    struct poll poll;
    size_t poll_cursor; /* whose turn it is, when not all fit into one poll */

    /* Counts the events after which effective properties may have changed: daemon-reload, re-exec,
     * a new connection. Starts at 1. */
    uint64_t generation;
    uint64_t load_stamp; /* UnitsLoadTimestampMonotonic, 0: not known */
    bool watchdogs;      /* ServiceWatchdogs of the manager */
    bool watchdogs_known;
    struct watchdog hardware; /* as far as a group requires it */
    usec_t hardware_timeout;  /* RuntimeWatchdogUSec, which is asked first */

    bool own_job_wanted, own_job_in_flight;
    int socket_fd;

    bool polkit_in_flight;
    usec_t polkit_at; /* when it is asked next */
    unsigned polkit_failures;
    char polkit_text[HOST_TEXT_MAX]; /* why it does not answer; "" it does, or it is not known */

    usec_t tickets_at;                /* when it was last tried to write one; 0: never */
    char tickets_text[HOST_TEXT_MAX]; /* why none can be written; "" one can */

    enum heal_phase heal;
    bool heal_polling;
    usec_t heal_wanted_at, heal_asked_at, heal_poll_at, heal_retry;
};

#endif
