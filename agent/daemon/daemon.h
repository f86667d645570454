/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_DAEMON_H
#define TENURE_DAEMON_DAEMON_H

/* tenured: the only clock and the event loop. What arbiter, systemd and people say becomes events
 * of the election's members; what the members want done goes out to them. No decision about
 * leadership is made here.
 *
 * Everything runs in the handlers of one sd_event loop. A handler only hands events on and asks for
 * daemon_wake(); what follows from the new state as a whole — the next tick, timers, STATUS=,
 * answers to Retire and Reload, the end — is done once per turn of the loop, by chores(). */

#include <assert.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "api/api.h"
#include "arbiter/arbiter.h"
#include "base/names.h"
#include "config/config.h"
#include "daemon/clock_rate.h"
#include "daemon/notify_queue.h"
#include "election/confirm.h"
#include "election/member.h"
#include "election/stray.h"
#include "host/host.h"

/* Groups between claim and active keeper at once. PID 1 starts them one after the other, so more
 * are not up any sooner; but on a slow host they keep it from answering in time, starts are given
 * up and claimed again, and a hundred groups come up later than with a few at a time. */
#define STARTS_MAX 2u
/* A tick takes along what is due within this part of its poll interval: one round trip for all. */
#define TICK_AHEAD_PART 8u
/* How long a stop waits for the arbiter once all units are dead; then the leases run out. */
#define RELEASE_WAIT_USEC (5 * USEC_PER_SEC)
/* What a stop or a Retire may take on top of S + K of the slowest group. */
#define LEAD_DOWN_EXTRA_USEC (10 * USEC_PER_SEC)
/* The bus may learn of a new policy later than the agent starts. */
#define API_RETRY_USEC (10 * USEC_PER_SEC)
/* How often PID 1 is asked why this process shall end, before it just ends. */
#define JOB_QUESTIONS_MAX 3u
/* A connection that lasted for less is no news, when it ends for the same reason as the one before.
 */
#define CONNECTION_LASTS_USEC (10 * USEC_PER_SEC)
/* How long another agent's end, or room in /run, is waited for before the agent fails; and how
 * often it looks meanwhile. */
#define INSTANCE_WAIT_USEC (10 * USEC_PER_SEC)
#define INSTANCE_RETRY_USEC (100 * USEC_PER_MSEC)
/* A clock that was not to be trusted for some group is said to be again once it was for all of them
 * for so long: each asks at least that often. */
#define CLOCK_SETTLED_USEC BUDGET_POLL_MAX_USEC
/* This host cannot run the agent: tenured.service is not to try again. */
#define EXIT_UNFIT_HOST 78
/* ConfirmDead: how long it takes at most until all records were watched, if the arbiter does not
 * answer all the time; and then until what has one locked lets go. */
#define CONFIRM_WATCH_MAX_USEC (3 * CONFIRM_WATCH_USEC)
#define CONFIRM_WAIT_USEC (5 * USEC_PER_SEC)
#define REASON_MAX (ARBITER_TEXT_MAX + 128)
static_assert(API_TEXT_MAX >= NODE_NAME_MAX + REASON_MAX + 192, "no reason is cut on its way");

struct daemon;

/* A group as the daemon has it: the member, and what is around it. */
struct group {
    struct daemon *daemon;
    const struct config_group *group; /* in daemon.config */
    struct member member;
    struct drift_watch drift; /* of this host's clock, from one of its requests to the next */
    bool retired;             /* EVENT_STOP by Retire or Reload, until the next Reload */

    /* Proof of death counts from when the ticket was known to be gone. */
    bool ticket_stuck;
    usec_t unlinked_at;

    /* What runs here without a term, and what was done about it. */
    struct stray stray;
    usec_t stray_looked;               /* the time for which a look was asked for its sake */
    char stray_trouble[HOST_TEXT_MAX]; /* why it is not ended, as the journal was told */

    char trouble[HOST_TEXT_MAX];      /* why the keeper could not be started last time */
    char stop_trouble[HOST_TEXT_MAX]; /* why PID 1 did not stop it, as the journal was told */
    char blocked[REASON_MAX];         /* why this node could not lead, as the journal was told */
    usec_t blocked_since;
    char leaderless[REASON_MAX]; /* why this node does not lead a group that nobody leads, likewise
                                  */
    usec_t leaderless_since, leaderless_at;
    char missed[REASON_MAX / 2]; /* which units do not run although it leads, likewise */
    usec_t missed_since;
    bool stuck_told;                   /* it was logged that the group does not end */
    char left_told[HOST_PROBLEM_MAX];  /* what may be left, as the journal was told */
    char doubt_told[HOST_PROBLEM_MAX]; /* whose stop will prove nothing, likewise */
    char lost_told[HOST_PROBLEM_MAX];  /* which guard was lost while it leads, as the journal was
                                          told */
    char copy_told[HOST_PROBLEM_MAX];  /* the same of a copy that is lost */
    usec_t copy_since;
    bool unarmed_told;              /* the journal has it that it leads without its watchdog */
    bool lease_waits;               /* the running term has not the configured lease yet */
    char held_up[ARBITER_TEXT_MAX]; /* what in the database keeps this node from claiming or
                                       renewing */
    uint64_t held_up_term;          /* the term that stays because of it */
    bool held_up_claim;             /* it was a claim */
    enum method record_method;      /* by which the record was claimed, as it was read last */
    bool has_read; /* the record was read, by this connection's arbiter; its term, nonce and epoch:
                    */
    uint64_t read_term;
    struct nonce read_nonce;
    struct epoch read_epoch;
    usec_t changed_at;   /* since when it has been this one, as far as was read; 0: not read */
    usec_t renewed_at;   /* when it was claimed or renewed, and … */
    usec_t renewal_at;   /* … renewed; 0: not seen */
    uint64_t since_term; /* the last term that was read, and since when it is (CLOCK_REALTIME) */
    usec_t since;

    /* While a node is being confirmed dead: what this group's record is found to be; what has it
     * locked, or what is left to be done; and how long units may run there. */
    struct confirm confirm;
    char confirm_note[ARBITER_TEXT_MAX];
    bool confirm_noted; /* by the answer that is just coming */
    usec_t confirm_runs_until;

    /* What the API shows; and what of it watchers were told. */
    struct api_unit *units; /* as many as the group has */
    char leader[NODE_NAME_MAX + 1];
    char reason[REASON_MAX];
    char told[NODE_NAME_MAX + REASON_MAX + 192]; /* "": nothing yet */
};

/* Waiting for groups to be led down. */
enum drain {
    DRAIN_NONE,
    DRAIN_RETIRE,
    DRAIN_RELOAD,
    DRAIN_STOP, /* the agent's own end */
};

/* A node is being confirmed dead. */
struct confirming {
    struct api_call *call; /* NULL: none */
    uid_t uid;             /* the caller's */
    char node[NODE_NAME_MAX + 1];
    bool asks;     /* all have been watched */
    bool answered; /* something new is known */
    usec_t due, until;
};

struct daemon {
    sd_event *event;
    sd_event_source *timer, *chores;
    struct notify_queue notify;
    struct host *host;
    struct api *api;
    struct sd_bus *bus;    /* borrowed from the host; NULL: there is none */
    usec_t api_retry_at;   /* the API could not be offered: try again then; 0: it could */
    char api_trouble[256]; /* why, as the journal was told */
    struct arbiter *arbiter;
    const char *const *applied; /* files as of config_load_applied() */

    struct tenure_config *config; /* NULL: nothing is applied, or it cannot be read */
    char config_problem[REASON_MAX];
    struct tenure_config *next; /* DRAIN_RELOAD: what will be in force */
    struct group **groups;      /* in the order of names */
    size_t n_groups;

    char instance[INSTANCE_ID_LEN + 1];
    char owner[OWNER_MAX + 1]; /* NODE/INSTANCE_ID */

    bool connected;
    usec_t connected_at;
    bool connect_told; /* the journal was told of this connection */
    usec_t started_at;
    bool arbiter_tried;               /* there was a connection, or it is known why there is none */
    char lost_told[ARBITER_TEXT_MAX]; /* why there was none, as the journal was told; "": long past
                                       */
    bool flaps; /* connections end at once for that same reason: the journal knows */
    char arbiter_text[ARBITER_TEXT_MAX]; /* connected: to what; else why not */
    char locked[ARBITER_TEXT_MAX];       /* who has all records locked there; "": nobody */
    char locked_told[ARBITER_TEXT_MAX];  /* the last that the journal was told */
    char bus_text[HOST_TEXT_MAX];        /* "": the bus is there */
    char heal_told[HOST_TEXT_MAX];       /* why the last heal failed, as the journal was told */
    unsigned job_questions;
    struct rate_reading clock; /* for the tick that is being made */
    bool fit;        /* the clock can be trusted, as people were told; each group by itself */
    usec_t unfit_at; /* when it last could not, for some group */
    char unfit_text[RATE_TEXT_MAX];

    bool patient;          /* the next tick is for those that can wait for a slow answer */
    usec_t sent_at, limit; /* of the tick under way */
    struct group *tick[ARBITER_TICK_MAX]; /* the groups of the requests under way, in order */
    size_t n_tick;
    bool confirms; /* they are not the members', but ConfirmDead's */
    struct confirming confirming;

    enum drain drain;
    struct api_call *call; /* NULL: nobody waits for the drain */
    usec_t drain_until;

    char status[NOTIFY_STATUS_MAX];
};

/* daemon.c */
/* Returns the exit status. */
int daemon_run(const char *const applied[]);
void daemon_wake(struct daemon *d);

/* group.c: the events of a member, and what it wants done. */
int group_new(struct daemon *d, const struct config_group *group, struct group **ret);
struct group *group_free(struct group *s);
struct group *daemon_group(const struct daemon *d, const char *group);
/* event->now and .random are filled in. ret_request may be NULL but for EVENT_SEND. Returns whether
 * there is a request. */
bool group_step(struct group *s, struct member_event *event, struct request *ret_request);
void group_event(struct group *s, enum member_event_type type);
/* When group_watch_strays() has something to do, USEC_INFINITY: never. */
usec_t group_strays_due(const struct group *s);
void group_watch_strays(struct group *s, usec_t now);
extern const struct host_handler daemon_host_handler;

/* tick.c: the arbiter's side. */
extern const struct arbiter_handler daemon_arbiter_handler;
void tick_send(struct daemon *d, usec_t now);
/* The connection it was sent on is being dropped: nobody will answer. */
void tick_abandon(struct daemon *d);
/* When there is something to ask; USEC_INFINITY: not before the arbiter says something. */
usec_t tick_due(const struct daemon *d);

/* configure.c: what is applied, and the change to something else. */
int configure_start(struct daemon *d);
/* Begins to take over what is applied. Returns 0, or -EBADMSG with the reason in text. */
int configure_begin(struct daemon *d, char text[static REASON_MAX]);
/* All that stood in the way is led down. Same returns. */
int configure_finish(struct daemon *d, char text[static REASON_MAX]);

/* drain.c: leading groups down, for whoever wants it. */
void drain_reload(struct daemon *d, struct api_call *call);
void drain_retire(struct daemon *d, struct api_call *call, const char *const *groups, size_t n);
void drain_stop(struct daemon *d);
void drain_continue(struct daemon *d, usec_t now);
usec_t drain_due(const struct daemon *d);

/* confirm.c: an operator's word about a node. */
void confirm_start(struct daemon *d, struct api_call *call, const char *node, uid_t uid);
/* It fails: why. Nothing if none is under way. */
void confirm_abandon(struct daemon *d, const char *why);
/* Whoever called has gone: while the records are only watched, that ends it. */
void confirm_caller_gone(struct daemon *d, const struct api_call *call);
void confirm_continue(struct daemon *d, usec_t now);
usec_t confirm_due(const struct daemon *d);
/* A tick of its own is answered; and just before, what is in the way. */
void confirm_replies(struct daemon *d, const struct reply *replies, size_t n);
void confirm_held_up(struct daemon *d, size_t i, const char *holder);

/* status.c: what people see. */
/* What of the group is not dead here, by the last look: "a.service is active (running)"; ""
 * nothing.
 */
void describe_left(const struct group *s, char ret[static REASON_MAX]);
void describe_unavailable(struct daemon *d, const char *text);
void describe_retry(struct daemon *d, usec_t now);
extern const struct api_source daemon_api_source;
void describe_changes(struct daemon *d);
void describe_status(struct daemon *d);

#endif
