/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_HOST_H
#define TENURE_HOST_HOST_H

/* This host's systemd as the agent sees it: keepers and units over sd-bus, their files and their
 * cgroups. All calls to PID 1 are asynchronous, each with a time limit, and few are in flight at
 * once. What is reported is always PID 1's answer to a poll, never what a signal claimed: a signal
 * only causes another poll. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/ticket.h"
#include "base/usec.h"
#include "host/view.h"

#define HOST_CALL_TIMEOUT_USEC (500 * USEC_PER_MSEC)
#define HOST_CALLS_MAX 16 /* calls to PID 1 in flight */
#define HOST_GROUPS_MAX 1024

struct host;

/* Called from the event loop, never from within a function of this header. host_free() must not be
 * called from a handler; everything else may be. */
struct host_handler {
    /* A poll was answered or the guards were checked: the view of this group is fresh (also when
     * nothing changed). */
    void (*polled)(void *userdata, const char *group);
    /* StartUnit of the group's keeper was answered: 0 when PID 1 queued the job, else negative
     * errno (-ETIMEDOUT when it did not answer: the job may be queued all the same; -ECONNRESET
     * when the bus went away: likewise; -EAGAIN when it was not even asked, because the guards
     * could not be checked in time), with a human-readable text. */
    void (*start_answered)(void *userdata, const char *group, int error, const char *text);
    /* The same for host_stop_keeper(). May be NULL. */
    void (*stop_answered)(void *userdata, const char *group, int error, const char *text);
    /* The same for host_end_strays(). May be NULL. */
    void (*strays_answered)(void *userdata, const char *group, int error, const char *text);
    /* Answer to host_heal(): 0 when PID 1 has read its files again; negative errno with a
     * human-readable text when it refused or the job failed, -EAGAIN when the job did nothing
     * because an apply is under way, -ETIMEDOUT or -ECONNRESET when that is not known. asked_at:
     * CLOCK_BOOTTIME just before it was asked. May be NULL where host_heal() is never called. */
    void (*healed)(void *userdata, usec_t asked_at, int error, const char *text);
    /* PID 1's type of the job that runs for this service ("restart", "stop", "" for none), or
     * negative errno. Answer to host_ask_own_job(). */
    void (*own_job)(void *userdata, int error, const char *type);
    /* The bus went away, could not be reached, or came back (also after dbus-daemon was killed: the
     * host reconnects by itself, with backoff). `bus` is the new connection, NULL while there is
     * none: objects must be exported on it again. `text` says why it is gone, "" when it is there.
     */
    void (*bus_changed)(void *userdata, struct sd_bus *bus, const char *text);
};

/* Connects to the system bus (asynchronously, and again whenever it is lost) and subscribes to
 * PID 1. Never waits for anything. Returns 0 or -ENOMEM or what sd-event said. */
int host_new(struct sd_event *event, const struct host_handler *handler, void *userdata,
             struct host **ret);
struct host *host_free(struct host *h);

/* Begins to watch a group. stop: S, compared with the effective stop timeouts of units and keeper.
 * Returns 0, -EEXIST, -EINVAL, -ENOMEM, -E2BIG. The first view comes by itself. */
int host_add_group(struct host *h, const char *group, const char *const *units, size_t n_units,
                   usec_t stop);
/* Another S for a group that is watched; its guards are checked again. Returns 0 or -ENOENT. */
int host_set_stop(struct host *h, const char *group, usec_t stop);
/* Whether the group is guarded only where the hardware watchdog is armed, with this time at most;
 * 0: anywhere. Returns 0 or -ENOENT. */
int host_require_watchdog(struct host *h, const char *group, usec_t longest);
/* Returns 0 or -ENOENT. Answers still under way for this group are not delivered any more. */
int host_remove_group(struct host *h, const char *group);

/* Polls PID 1 about this group, soon: `polled` follows. One poll (ListUnitsByNames) serves all
 * groups that are wanted in one turn of the event loop. It is repeated until it is answered. */
void host_poll(struct host *h, const char *group);

/* The last view; owned by the host, valid until the next turn of the loop. NULL: unknown group. */
const struct group_view *host_view(const struct host *h, const char *group);

/* Why polkit, without which PID 1 lets the agent start no keeper, does not answer; "" it does, or
 * it is not known. Owned by the host, valid until the next turn of the loop. */
const char *host_polkit_problem(const struct host *h);

/* Why no ticket could be written, with what to do about it; "" one could. Tries again when the last
 * attempt was a second ago. Owned by the host. */
const char *host_ticket_problem(struct host *h);

/* Publishes the ticket, whole or not at all and mode 0600, below TENURE_TICKETS_DIR. The next
 * host_start_keeper() of that group is for its term. Synchronous (tmpfs). Returns 0; -EEXIST when
 * the group has one already: unlink it first; another negative errno. */
int host_write_ticket(struct host *h, const struct ticket *t);

/* Unlinks the group's ticket. Returns 0 also when there is none (the keeper consumed it). */
int host_unlink_ticket(struct host *h, const char *group);

/* Unlinks all tickets, and what keepers that died while taking one left behind. For a new agent,
 * before it reads anything. Returns 0 or negative errno. */
int host_clear_tickets(void);

/* Checks the guards of the group's units once more, then StartUnit of the keeper, job mode "fail".
 * start_answered follows if this returns 0, with -EPERM and the view's problem when a guard is not
 * in effect: nothing was started then. Else -ENOENT, -ENOTCONN without a bus, -EALREADY while an
 * answer to the last one is awaited. */
int host_start_keeper(struct host *h, const char *group);

/* The term is over, and its ticket withdrawn: when all units are dead, the host judges whether
 * their stops prove that nothing of them is left. For that it asks systemd once more about each
 * unit that may keep something other than processes. */
void host_end_term(struct host *h, const char *group);

/* StopUnit of the keeper with replace-irreversibly: the fallback when it does not end although it
 * was ordered to, and the way to end units that run without a keeper: PID 1 stops what is bound to
 * it, also when the keeper itself is inactive. Same errors. */
int host_stop_keeper(struct host *h, const char *group);

/* StartUnit of the job that ends the group's units by name, as root and wherever they are: for
 * units that a stop of the keeper does not reach, or does not end. The job refuses by itself where
 * the group is led. Same errors; an answer says that it was started, and polls show what came of
 * it. */
int host_end_strays(struct host *h, const char *group);

/* Starts HEAL_UNIT, a job of root's that restores the guards' copies of what is applied and has PID
 * 1 read its files again; for all groups at once. When it is over, all guards that were not whole
 * are checked again, and healed follows. Returns 1; 0 when one is under way already; -ENOTCONN. */
int host_heal(struct host *h);

/* Datagrams to the keeper, in the version that its ticket had; never block. Of the ticket the group
 * and the term count, and for an extension deadline, lease and duration. Return 0, or negative
 * errno when there is no such keeper (-ENOENT, -ECONNREFUSED) or its queue is full (-EAGAIN). */
int host_extend_keeper(struct host *h, const struct ticket *t);
int host_end_keeper(struct host *h, const struct ticket *t);

/* Asks PID 1 what kind of job runs for the unit this process belongs to; own_job follows, three
 * calls later. Returns 0, -ENOTCONN, -EALREADY. */
int host_ask_own_job(struct host *h);

/* cgroup v2 alone is mounted at TENURE_CGROUP_ROOT and has cgroup.kill (Linux 5.14)? Returns 0, or
 * -EOPNOTSUPP with the reason, human-readable, in text. */
int host_check_kernel(char text[static HOST_TEXT_MAX]);

/* The random id of this agent's boot, 128 bits in hex, made by the first call after boot and kept
 * below TENURE_INSTANCE_DIR, with the machine id, the boot id and the PID namespace that it was
 * made in: where one of them differs now, the folder was copied, and another id is made. Holds a
 * lock there for as long as this process lives: one agent per host. Returns 0, -EBUSY when another
 * agent has the lock, another negative errno. */
int host_instance_id(char ret[static INSTANCE_ID_LEN + 1]);

#endif
