/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_AGENT_H
#define TENURE_CTL_AGENT_H

/* The agent's D-Bus API, org.tenure1, from the caller's side. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "base/usec.h"

#define AGENT_NAME "org.tenure1"
#define AGENT_CALL_TIMEOUT_USEC (5 * USEC_PER_SEC)

struct agent_unit {
    char *name;
    char *active_state;
    char *sub_state;
};

/* Strings are never NULL: "" is what the agent did not say. */
struct agent_group {
    char *name;
    char *role;
    char *leader; /* "": none */
    char *reason;
    char *method;
    uint64_t term;          /* 0: unknown */
    usec_t leader_since;    /* CLOCK_REALTIME; 0: unknown */
    usec_t seen;            /* age of the last sight; USEC_INFINITY: never */
    usec_t renewed;         /* age of the last renewal that it has seen; USEC_INFINITY: none */
    usec_t claims_in;       /* a standby: until it claims; USEC_INFINITY: not foreseeable */
    usec_t unchanged;       /* a standby: for how long it has seen the record unchanged … */
    usec_t watch;           /* … of how long it must before it claims; 0: it does not wait so */
    usec_t deadline;        /* what is left of this node's lease; 0: it does not lead */
    usec_t leader_runs;     /* for how long units may run on the leader's host yet, by what was seen
                               last; USEC_INFINITY: not known */
    usec_t lease;           /* L */
    usec_t configured;      /* L as it is configured; 0: the agent is of an earlier version */
    usec_t stop_timeout;    /* S */
    usec_t keeper_duration; /* D */
    struct agent_unit *units;
    size_t n_units;
    uint64_t units_not_running; /* although this node leads */
};

struct agent_view {
    char *version;
    char *node;
    char *instance;
    char *arbiter;
    char *status;
    bool connected;
    struct agent_group *groups; /* sorted by name */
    size_t n_groups;
};

/* Everything the agent shows, in one call. Returns 0 and a view for agent_view_free(); -ENXIO when
 * no agent is on the bus; -ETIMEDOUT when it does not answer; other negative errno. */
int agent_read(sd_bus *bus, struct agent_view **ret);

/* From a reply of GetManagedObjects. For agent_read() and tests. */
int agent_view_read(sd_bus_message *m, struct agent_view **ret);

struct agent_view *agent_view_free(struct agent_view *v); /* returns NULL */

const struct agent_group *agent_find_group(const struct agent_view *v, const char *name);

/* How often this node observes the group's record, and a leader renews it. 0: not known. */
usec_t agent_poll(const struct agent_group *g);

/* Is an agent on the bus? 1, 0 or negative errno. */
int agent_running(sd_bus *bus);

/* Leads the groups down on this node; waits for that, at most timeout. -ENXIO as above; error: what
 * the agent said. */
int agent_retire(sd_bus *bus, const char *const *groups, size_t n, usec_t timeout,
                 sd_bus_error *error);

/* Has the agent read the snapshot. Errors as above. */
int agent_reload(sd_bus *bus, sd_bus_error *error);

/* What became of one record of a node that was confirmed dead. */
struct agent_confirmed {
    char *group, *note;
    uint64_t term;
    usec_t lease, runs;
};

/* Vouches that the node is dead. Lets polkit ask for a password. Fills a list for
 * agent_confirmed_free(). Errors as above. */
int agent_confirm_dead(sd_bus *bus, const char *node, struct agent_confirmed **ret, size_t *ret_n,
                       sd_bus_error *error);
void agent_confirmed_free(struct agent_confirmed *list, size_t n);

static inline void cleanup_agent_view(struct agent_view **v)
{
    (void)agent_view_free(*v);
}
#define _cleanup_agent_view_ _cleanup_(cleanup_agent_view)

#endif
