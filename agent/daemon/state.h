/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_STATE_H
#define TENURE_DAEMON_STATE_H

/* What the agent knows: of itself, and of each group. Every part of daemon/ reads it, and each
 * writes its own fields. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "api/api.h"
#include "arbiter/arbiter.h"
#include "base/names.h"
#include "base/usec.h"
#include "config/config.h"
#include "daemon/clock_rate.h"
#include "daemon/drift.h"
#include "daemon/notify_queue.h"
#include "election/confirm.h"
#include "election/member.h"
#include "election/stray.h"
#include "host/host.h"

#define REASON_MAX (ARBITER_TEXT_MAX + 128)
static_assert(API_TEXT_MAX >= NODE_NAME_MAX + REASON_MAX + 192, "no reason is cut on its way");

/* What a node is in a group. */
enum role {
    ROLE_LEADER,
    ROLE_STANDBY,
    ROLE_STARTING,
    ROLE_STOPPING,
    ROLE_BLOCKED,
};
#define ROLES (ROLE_BLOCKED + 1)

struct daemon;

/* A group as the agent has it: the member, and what is around it. */
struct group {
    struct daemon *daemon;
    const struct config_group *config; /* in daemon.config */
    struct member member;
    struct drift_watch drift; /* of this host's clock, from one of its requests to the next */
    bool retired;             /* EVENT_STOP by Retire or Reload, until the next Reload */

    /* Proof of death counts from when the ticket was known to be gone. */
    bool ticket_stuck;
    usec_t unlinked_at;

    /* What runs here without a term, and what was done about it. */
    struct stray stray;
    usec_t stray_polled;               /* the time for which a poll was asked for its sake */
    char stray_trouble[HOST_TEXT_MAX]; /* why it is not ended, as it was logged */

    char trouble[HOST_TEXT_MAX];      /* why the keeper could not be started last time */
    char stop_trouble[HOST_TEXT_MAX]; /* why PID 1 did not stop it, as it was logged */

    /* alerts.c: what was logged last, "" for nothing, and since when it has been so. */
    char blocked[REASON_MAX]; /* why this node could not lead */
    usec_t blocked_since;
    char leaderless[REASON_MAX]; /* why this node does not lead a group that no node leads */
    usec_t leaderless_since, leaderless_at;
    char missed[REASON_MAX / 2]; /* which units do not run although it leads */
    usec_t missed_since;
    bool stuck_logged;                   /* that the group does not end */
    char left_logged[HOST_PROBLEM_MAX];  /* what may be left */
    char doubt_logged[HOST_PROBLEM_MAX]; /* whose stop will prove nothing */
    char lost_logged[HOST_PROBLEM_MAX];  /* which guard was lost while it leads */
    char copy_logged[HOST_PROBLEM_MAX];  /* which copy of a guard was lost */
    usec_t copy_since;
    bool unarmed_logged; /* that it leads without its watchdog */
    bool lease_waits;    /* the running term does not have the configured lease yet */

    char held_up[ARBITER_TEXT_MAX]; /* what in the database keeps this node from claiming or
                                       renewing */
    uint64_t held_up_term;          /* the term that stays because of it */
    bool held_up_claim;             /* it was a claim */

    enum method record_method; /* by which the record was claimed, as it was read last */
    bool has_read; /* the record was read, by this connection's arbiter; its term, nonce, epoch: */
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
    bool confirm_noted; /* by the reply that is just coming */
    usec_t confirm_runs_until;

    /* status.c: what the API shows, and what of it was published. */
    struct api_unit *units; /* as many as the group has */
    enum role role;         /* as it was published */
    char leader[NODE_NAME_MAX + 1];
    char reason[REASON_MAX];
    char published[NODE_NAME_MAX + REASON_MAX + 192]; /* "": nothing yet */
    bool changed; /* the member took a step, or the configuration changed, since it was described */
    bool well;    /* when it was described, there was nothing to say of it */
};

/* Why groups are stepping down. */
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
    char api_trouble[256]; /* why, as it was logged */
    struct arbiter *arbiter;
    const struct arbiter_handler *arbiter_handler; /* of each arbiter that is made */
    const char *const *applied;                    /* files as of config_load_applied() */

    struct tenure_config *config; /* NULL: nothing is applied, or it cannot be read */
    char config_problem[REASON_MAX];
    struct tenure_config *next; /* DRAIN_RELOAD: what will be in force */
    struct group **groups;      /* in the order of names */
    size_t n_groups;

    char instance[INSTANCE_ID_LEN + 1];
    char owner[OWNER_MAX + 1]; /* NODE/INSTANCE_ID */

    bool connected;
    usec_t connected_at;
    bool connect_logged; /* the journal has this connection */
    usec_t started_at;
    bool arbiter_tried;                 /* there was a connection, or it is known why not */
    char lost_logged[ARBITER_TEXT_MAX]; /* why there was none, as it was logged; "": long past */
    bool flaps; /* connections end at once for that same reason, which is in the journal */
    char arbiter_text[ARBITER_TEXT_MAX];  /* connected: to what; else why not */
    char locked[ARBITER_TEXT_MAX];        /* what has all records locked there; "": nothing */
    char locked_logged[ARBITER_TEXT_MAX]; /* the last that was logged */
    char bus_text[HOST_TEXT_MAX];         /* "": the bus is there */
    char heal_logged[HOST_TEXT_MAX];      /* why the last heal failed, as it was logged */
    unsigned job_questions;
    struct rate_reading clock; /* for the tick that is being made */
    bool fit;        /* the clock can be trusted, as it was logged; each group by itself */
    usec_t unfit_at; /* when it last could not, for some group */
    char unfit_text[RATE_TEXT_MAX];

    bool patient;          /* the next tick is for those that can wait for a slow reply */
    usec_t sent_at, limit; /* of the tick under way */
    struct group *tick[ARBITER_TICK_MAX]; /* the groups of the requests under way, in order */
    size_t n_tick;
    bool confirms; /* they are not the members', but ConfirmDead's */
    struct confirming confirming;

    enum drain drain;
    struct api_call *call; /* NULL: no caller waits for the drain */
    usec_t drain_until;

    char status[NOTIFY_STATUS_MAX];
};

/* Something has changed: the chores are due, once in this turn of the loop. */
void daemon_wake(struct daemon *d);

/* NULL: there is no such group. */
struct group *daemon_group(const struct daemon *d, const char *group);

#endif
