/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_INTERNAL_H
#define TENURE_HOST_INTERNAL_H

/* What the files of this folder share; nobody else includes it.
 *
 *   host.c        groups, and the pump: the one place that decides what to ask next
 *   connection.c  the bus: connect, notice its loss, connect again
 *   signals.c     signals of PID 1 -> which group to look at
 *   poll.c        the question: ListUnitsByNames, then cgroups and state files
 *   guard_check.c       properties of units (properties.c) -> guards.c, which judges them
 *   proof.c       the same at the end of a term -> stops.c: is anything left?
 *   ended.c       the same for units whose run ends in the middle of one
 *   control.c     StartUnit, StopUnit, the own job
 *   heal.c        the job that has PID 1 read the guards again
 *   call.c        one asynchronous call with its limit
 *   device.c      the hardware watchdog, as the kernel has it
 *   files.c, instance_id.c  tickets, datagrams, cgroup.stat; the instance id
 */

#include "base/watchdog.h"
#include "host/guards.h"
#include "host/host.h"
#include "host/properties.h"
#include "host/stops.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_UNIT_PATH SYSTEMD_PATH "/unit"
#define SYSTEMD_MANAGER SYSTEMD_NAME ".Manager"
#define SYSTEMD_UNIT SYSTEMD_NAME ".Unit"

#define CONNECT_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define CONNECT_BACKOFF_MIN_USEC (50 * USEC_PER_MSEC)
#define CONNECT_BACKOFF_MAX_USEC (2 * USEC_PER_SEC)

#define QUESTION_NAMES_MAX 512  /* names in one ListUnitsByNames */
#define QUESTION_GROUPS_MAX 256 /* groups in one */
#define QUESTION_CALLS 5        /* it and up to four properties of the manager */
#define CHECK_CALLS_MAX 8       /* leaves room for starts and stops */
#define POLL_RETRY_MIN_USEC (20 * USEC_PER_MSEC)
#define POLL_RETRY_MAX_USEC (1 * USEC_PER_SEC)
/* Signals can be lost (during daemon-reload, systemd#8803), so nothing is believed longer. A group
 * that is down costs PID 1 more: it reads the unit files anew for every question (some 3 ms). */
#define POLL_INTERVAL_USEC (10 * USEC_PER_SEC)
#define POLL_GONE_INTERVAL_USEC (60 * USEC_PER_SEC) /* also between checks that find a fault */
#define CHECK_AGAIN_INTERVAL_USEC (300 * USEC_PER_SEC)
/* The job of a heal: how often to look whether it is over, and how long at most: generators take up
 * to 90 s, twice when PID 1 reloads already. */
#define HEAL_UNIT "tenure-reload.service"
#define HEAL_POLL_MIN_USEC (50 * USEC_PER_MSEC)
#define HEAL_POLL_MAX_USEC (1 * USEC_PER_SEC)
#define HEAL_LIMIT_USEC (240 * USEC_PER_SEC)
/* How long a heal waits at most for terms of other groups that begin or end. */
#define HEAL_HOLD_USEC (60 * USEC_PER_SEC)
/* A start that is still waiting for its turn or for its check is not sent any more. */
#define START_WAIT_USEC (4 * HOST_CALL_TIMEOUT_USEC)

struct watched_group;

/* A unit whose signals matter: a declared one, or the keeper. */
struct watched {
    char *path; /* D-Bus object path; owned */
    struct watched_group *group;
    uint32_t job; /* from the last answer */
    /* In the group's view, or in `keeper` below. */
    struct unit_view *view;
};

/* Of a check: over all units and the keeper. */
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
    HEAL_RUNNING, /* the job was queued, or nobody said that it was not: look whether it is over */
};

/* Of a unit: the judgement of a run that is over although the term is not. */
struct ended {
    bool wanted; /* it may have run since it was judged last */
    usec_t run;  /* whose stop is proven, if the next look finds all as it was; 0: none */
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
    bool poll_alone;   /* a question that named it was refused: do not spoil others' */
    usec_t poll_at;    /* look again then, whatever happens */
    usec_t poll_retry; /* the last delay of a retry, 0: none yet */

    uint64_t checked;  /* generation the guards were checked for, 0: never */
    bool recheck;      /* although checked: at check_at */
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
    usec_t seen_at; /* counts if a later look finds all as it was; 0: none, or taken into account */
    uint64_t seen_generation;
    bool stops_changed;        /* the file has to be written */
    int stops_error;           /* the last attempt; it was logged */
    bool was_active;           /* the keeper, since it was started */
    bool inherited;            /* an earlier agent's term, which it had not judged */
    bool judging;              /* when all units are dead */
    bool judge_in_flight;      /* a question about one unit */
    bool judge_stale;          /* and it is not of this judgement */
    bool judged;               /* all were asked: counts if the next look finds all as it was */
    size_t judge_step;         /* next unit */
    uint64_t judge_generation; /* that they were asked in */
    usec_t judged_at;
    usec_t judge_at, judge_retry; /* not before, after a call that failed */
    char judge_problem[HOST_PROBLEM_MAX];
    bool judge_all;      /* what the units began as is not known for sure */
    usec_t ending_since; /* as of view.ending */

    struct ended *ended; /* of each unit, owned */
    bool ended_in_flight;
    size_t ended_step; /* the unit that is asked of */
    usec_t ended_at;   /* not before, after a call that failed */

    bool start_wanted, start_in_flight;
    bool start_checked; /* since the start was asked for */
    usec_t start_until;
    bool stop_wanted, stop_in_flight;
    bool strays_wanted, strays_in_flight;
};

struct call;
/* reply is NULL when error (negative errno) is not 0; text is then for people, else "". */
typedef void (*call_done)(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                          const char *text);

struct call {
    struct host *host;
    sd_bus_slot *slot; /* NULL: free */
    call_done done;
    struct watched_group *group; /* NULL also when the group was removed since */
};

/* The question under way. */
struct question {
    bool in_flight;
    usec_t asked_at;
    size_t n;
    struct {
        struct watched_group *group; /* NULL: removed since */
        size_t n_units;
    } of[QUESTION_GROUPS_MAX];
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

    struct call calls[HOST_CALLS_MAX];
    size_t n_calls;
    size_t n_check_calls;

    struct watched_group **groups; /* sorted by name */
    size_t n_groups;
    struct watched **paths; /* sorted by path; into the groups */
    size_t n_paths;

    sd_event_source *pump;  /* deferred: after whatever else this turn brings */
    sd_event_source *timer; /* the next thing that is due by time */

    struct question question;
    size_t poll_cursor; /* whose turn it is, when not all fit into one question */

    /* Counts everything after which effective properties may be others: daemon-reload, re-exec, a
     * new connection. Starts at 1. */
    uint64_t generation;
    uint64_t load_stamp; /* UnitsLoadTimestampMonotonic, 0: not known */
    bool watchdogs;      /* ServiceWatchdogs of the manager */
    bool watchdogs_known;
    struct watchdog hardware; /* as far as somebody requires it */
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

/* host.c */
void host_pump_soon(struct host *h);
struct watched_group *host_group(const struct host *h, const char *name);
struct watched *host_watched(const struct host *h, const char *path);
void group_poll_soon(struct host *h, struct watched_group *g);
void host_poll_all(struct host *h);
void host_new_generation(struct host *h);
/* Does any group? */
bool host_requires_watchdog(const struct host *h);
/* The view's guarded and problem, from what is known now. */
void group_judge(const struct host *h, struct watched_group *g);
/* 0 -> min, else twice as much, at most max. */
usec_t backoff(usec_t last, usec_t min, usec_t max);

/* connection.c */
int connection_begin(struct host *h);
void connection_end(struct host *h);
void connection_subscribe(struct host *h);

/* polkit.c */
void polkit_ask(struct host *h, usec_t now);
usec_t polkit_due(const struct host *h);
/* is_there: it came; else it left the bus, or the bus is another one. */
void polkit_ask_again(struct host *h, bool is_there);

/* signals.c */
int signals_install(struct host *h);

/* call.c */
size_t calls_free(const struct host *h);
int call_new(struct host *h, const char *path, const char *interface, const char *member,
             sd_bus_message **ret);
/* Sends m with HOST_CALL_TIMEOUT_USEC; done is called exactly once if this returns 0, also when the
 * bus goes away. If of a group that is removed meanwhile, done gets g = NULL. -EBUSY: none free. */
int call_send(struct host *h, sd_bus_message *m, struct watched_group *g, call_done done);
/* GetAll of all interfaces of the object at once; properties_read() takes the answer. As
 * call_send().
 */
int call_for_properties(struct host *h, const char *path, struct watched_group *g, call_done done);
void calls_forget_group(struct host *h, const struct watched_group *g);
void calls_fail_all(struct host *h, int error, const char *text);

/* poll.c */
void poll_ask(struct host *h, usec_t now);
void poll_forget_group(struct host *h, const struct watched_group *g);

/* guard_check.c */
void check_continue(struct host *h, usec_t now);
bool check_due(const struct host *h, const struct watched_group *g);

/* proof.c */
/* At host_add_group(): what an earlier agent knew. */
void proof_inherit(struct watched_group *g);
/* Before StartUnit: what the units begin as. Returns 0 or negative errno: nothing may be started.
 */
int proof_begin(struct watched_group *g);
/* A look found this unit up. */
void proof_seen_up(struct watched_group *g, size_t unit);
/* A check has seen all of them. */
void proof_all_checked(struct host *h, struct watched_group *g);
/* A look is complete. */
void proof_viewed(struct host *h, struct watched_group *g);
bool proof_due(const struct watched_group *g);
void proof_continue(struct host *h, usec_t now);
/* May this unit keep what is no process? */
bool proof_may_keep(const struct watched_group *g, size_t unit);

/* ended.c */
/* A signal or a look says that the unit runs, or has run. Of a keeper nothing is made. */
void ended_stirred(struct watched *w);
/* The judgement of its last run, asked for in this generation: proven, as of a view to come. */
void ended_proven(struct host *h, struct watched_group *g, size_t unit, usec_t run);
/* A look is complete: what was proven before it, with no file read again since, is. */
void ended_viewed(struct host *h, struct watched_group *g);
bool ended_due(const struct watched_group *g);
void ended_continue(struct host *h, usec_t now);

/* heal.c */
void heal_send(struct host *h, usec_t now);
usec_t heal_wake(const struct host *h);
void heal_fail(struct host *h, int error, const char *text);
/* By Result and ExecMainStatus of the job: 0; -EAGAIN when it did nothing, as an apply is under
 * way; else -EIO. */
int heal_judge(const char *result, int status);

/* control.c */
/* PID 1 has not said no: it was on its way to another self (daemon-reexec), or is not on the bus
 * for a moment. */
bool nobody_answered(int error);
void control_send(struct host *h, usec_t now);
/* Starts, stops and the like that were not sent yet: nobody wants them after a reconnect. */
void control_fail_waiting(struct host *h, int error, const char *text);

#endif
