/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_API_API_H
#define TENURE_API_API_H

/* The agent's D-Bus API, org.tenure1 on the system bus (org.tenure1.xml says what it promises):
 * any user may read, root may have groups retired and the configuration reloaded, and those that
 * polkit allows may have a node confirmed dead. Nothing here waits. Values are fetched when a
 * client reads them; nothing is kept. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "base/usec.h"

#define API_TEXT_MAX 2048 /* of a property or an error; what is longer is cut */
#define API_BUS_NAME "org.tenure1"
#define API_PATH "/org/tenure1"
#define API_GROUP_PATH API_PATH "/group"
#define API_MANAGER_INTERFACE "org.tenure1.Manager"
#define API_GROUP_INTERFACE "org.tenure1.Group"

/* This node could not step down from some group, or another Reload or Retire is under way. */
#define API_ERROR_BUSY "org.tenure1.Error.Busy"
/* The applied configuration could not take effect; the text says what is wrong. */
#define API_ERROR_BAD_CONFIGURATION "org.tenure1.Error.BadConfiguration"

/* ConfirmDead: it must not be done, and the text says why. */
#define API_ERROR_REFUSED "org.tenure1.Error.Refused"
/* ConfirmDead: it could not be done, and the text says what prevented it. */
#define API_ERROR_FAILED "org.tenure1.Error.Failed"

/* What polkit is asked about callers of ConfirmDead who are not root. */
#define API_ACTION_CONFIRM_DEAD "org.tenure1.confirm-dead"

#define API_CALLS_MAX 16 /* Retire and Reload not answered yet; more are refused */
/* The same of ConfirmDead: its own, since any user may call it. */
#define API_CONFIRMS_MAX 8
/* Of these so many wait for polkit, which may ask for a password: one of each user, so that no user
 * keeps the others out, and fewer than there are, so that none keeps root out. */
#define API_POLKIT_MAX (API_CONFIRMS_MAX - 2)
#define API_CALLER_TIMEOUT_USEC (2 * USEC_PER_SEC)
/* Of polkit, and of the user who has to type a password for it. */
#define API_POLKIT_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define API_PASSWORD_TIMEOUT_USEC (120 * USEC_PER_SEC)

struct api;
struct api_call;

/* Strings are borrowed until the event loop turns; NULL counts as "". */
struct api_manager {
    const char *version;
    const char *node;
    const char *instance_id;
    const char *arbiter; /* human-readable, without secrets */
    const char *status;
    bool connected; /* to the arbiter */
};

/* A record that was taken from a node that was confirmed dead. */
struct api_confirmed {
    const char *group;
    uint64_t term;    /* that has no leader */
    usec_t lease;     /* for which others watch it before they claim it */
    usec_t runs;      /* for which units may run there yet, at the most */
    const char *note; /* what is left to be done, human-readable */
};

struct api_unit {
    const char *name;
    const char *active_state;
    const char *sub_state;
};

struct api_group {
    const char *name;
    const char *role; /* "leader", "standby", "starting", "stopping", "blocked" */
    const char *leader;
    const char *reason;
    const char *method;
    uint64_t term;       /* 0: unknown */
    usec_t leader_since; /* CLOCK_REALTIME; 0: unknown */
    usec_t seen;         /* age of the last sight of the record; USEC_INFINITY: never */
    usec_t renewed;      /* age of the last claim or renewal that this node has seen being made;
                            USEC_INFINITY: none */
    usec_t claims_in;    /* a standby: how long it is until it claims, if it is not renewed;
                            USEC_INFINITY: not foreseeable */
    usec_t unchanged;    /* a standby: for how long it has seen the record unchanged … */
    usec_t watch;        /* … of how long it must before it claims; 0: it does not wait so */
    usec_t deadline;     /* what is left of this node's lease; 0: it does not lead */
    usec_t leader_runs;  /* for how long units may run on the leader's host, at the most, if it
                            does not renew again; 0: there is no leader, or it is this node */
    usec_t lease;        /* L, of the term that is held if there is one */
    usec_t configured;   /* L as it is configured */
    usec_t stop_timeout; /* S */
    usec_t duration;     /* D: the keeper's */
    const struct api_unit *units;
    size_t n_units;
    uint64_t missed; /* how many of them do not run, although it leads */
};

/* What the API shows and what it hands on. Called from the event loop, never from within a function
 * of this header, but for api_..._changed() and api_group_added(), which describe at once. */
struct api_source {
    void (*describe_manager)(void *userdata, struct api_manager *ret);
    size_t (*n_groups)(void *userdata);
    /* i < n_groups() just before. */
    const char *(*group_name)(void *userdata, size_t i);
    /* False: there is no such group. */
    bool (*describe_group)(void *userdata, const char *group, struct api_group *ret);
    /* Root wants the applied configuration to take effect, or this node to step down from these
     * groups and not to claim them again. Each call is to be answered once with api_call_done() or
     * api_call_failed(), now or later. `groups` is borrowed until the answer. */
    void (*reload)(void *userdata, struct api_call *call);
    void (*retire)(void *userdata, struct api_call *call, const char *const *groups, size_t n);
    /* The caller (uid) vouches that this node is dead, and may. To be answered once with
     * api_call_confirmed() or api_call_failed(). `node`, a valid name, is borrowed until the
     * answer. */
    void (*confirm_dead)(void *userdata, struct api_call *call, const char *node, uid_t uid);
    /* The caller of confirm_dead has left the bus, and hears no answer; the call is to be answered
     * nevertheless, now or later. Once at most. */
    void (*caller_gone)(void *userdata, struct api_call *call);
    /* The API cannot be offered on this connection, and why. It goes on without. */
    void (*unavailable)(void *userdata, const char *text);
};

/* source is borrowed. Returns 0 or -ENOMEM. */
int api_new(const struct api_source *source, void *userdata, struct api **ret);
/* Calls that were not answered are dropped: their tokens are void. NULL is fine. Returns NULL. */
struct api *api_free(struct api *a);

/* Offers the API on this connection: exports the objects and asks for the bus name. With NULL: the
 * connection is gone, calls of its clients need no answer any more (but their tokens stay valid
 * until answered). Returns 0 or negative errno; then nothing is offered. */
int api_attach(struct api *a, sd_bus *bus);

/* Inform the clients that watch. All are no-ops without a connection; a signal that cannot be sent
 * is lost, and watchers read again for themselves. */
void api_manager_changed(struct api *a);
void api_group_changed(struct api *a, const char *group);
void api_group_added(struct api *a, const char *group);
void api_group_removed(struct api *a, const char *group);

/* Answer a call and void its token. Safe when the connection has gone meanwhile. */
void api_call_done(struct api_call *call);
void api_call_confirmed(struct api_call *call, const struct api_confirmed *confirmed, size_t n);
void api_call_failed(struct api_call *call, const char *error_name, const char *text);

#endif
