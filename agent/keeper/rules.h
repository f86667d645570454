/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_RULES_H
#define TENURE_KEEPER_RULES_H

/* What a keeper may and must do, and when: every decision of the dead-man's switch, without I/O
 * and without a clock. Values in, values out; the process around it (process.c) carries them out.
 *
 * Every `now` is CLOCK_BOOTTIME in microseconds, read afresh for the very decision it is passed
 * to: a value from before a wait or a recvmsg() is stale, and stale means too generous. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/stops.h"
#include "base/ticket.h"
#include "base/usec.h"

/* From the kill time on: between two writes of cgroup.kill. */
#define KEEPER_KILL_INTERVAL_USEC (10 * USEC_PER_MSEC)
/* Until then: how often to look whether all is gone. Quickly at first, so that a clean stop ends
 * quickly; an eighth of the time spent waiting later, so that long stops cost nothing. */
#define KEEPER_LOOK_MIN_USEC (5 * USEC_PER_MSEC)
#define KEEPER_LOOK_MAX_USEC (100 * USEC_PER_MSEC)
#define KEEPER_LOOK_PART ((usec_t)8)
/* So much before K is over a host is restarted, for the last look at it and the restart itself. */
#define KEEPER_REBOOT_EARLY_USEC (50 * USEC_PER_MSEC)
/* A message that PID 1's full socket did not take is sent again after this. */
#define KEEPER_NOTIFY_RETRY_USEC (10 * USEC_PER_MSEC)

enum ticket_verdict {
    TICKET_GOOD,
    TICKET_OTHER_GROUP,
    TICKET_BAD_TERM,
    TICKET_BROKEN_BUDGET,
    TICKET_TOO_LATE,
    TICKET_TOO_FAR,
};

enum message_verdict {
    MESSAGE_EXTENDED,
    MESSAGE_ENDED,
    MESSAGE_REPEATED, /* it has that deadline, L and D: nothing is left to do */
    MESSAGE_WRONG_SENDER,
    MESSAGE_MALFORMED,
    MESSAGE_OTHER_TERM,
    MESSAGE_ALREADY_ENDING,
    MESSAGE_TOO_LATE,
    MESSAGE_BROKEN_BUDGET,
    MESSAGE_NOT_LATER,
    MESSAGE_TOO_FAR,
};

enum keeper_phase {
    KEEPER_LEADING,
    KEEPER_ENDING, /* for good: no way leads back */
};

enum keeper_end_reason {
    KEEPER_END_NONE, /* still leading */
    KEEPER_END_DEADLINE,
    KEEPER_END_AGENT,
    KEEPER_END_SIGNAL,
};

/* What is to be done about a group that SIGKILL does not end. */
enum last_resort {
    LAST_RESORT_NONE,
    LAST_RESORT_ALERT,  /* alert the operator */
    LAST_RESORT_REBOOT, /* restart the host, at once */
};

/* What a look found of the group, in the order in which it has to look. */
struct keeper_look {
    bool answered; /* PID 1 has read that the term is over: what it had begun to start by then has
                      its link and its cgroup. The fence is run by PID 1, and need not ask. */
    bool up; /* a unit has its link: it is not inactive, and may still run something to stop */
    bool unlinked;     /* a unit can have none, for want of room in the name */
    bool populated;    /* there are processes below the slice; also when that is not known */
    uint64_t children; /* cgroups below it, empty ones too; UINT64_MAX: not known */
    enum stops stops;  /* what the agent says of the units' stops */
};

/* One term, from the accepted ticket to the exit. Its own copy of all numbers: a term keeps the
 * stop timeout that it was claimed with, and has the lease that the agent said last, whatever the
 * configuration says by now. */
struct keeper {
    unsigned version; /* of the ticket, and of what the agent sends */
    enum keeper_phase phase;
    enum keeper_end_reason reason;
    uint64_t term;
    usec_t lease;    /* L, a span */
    usec_t stop;     /* S, a span */
    usec_t duration; /* D, a span */
    usec_t deadline; /* absolute; only ever grows, and only while leading */
    usec_t ended;    /* absolute: when ending began; 0 while leading */
};

/* May the ticket start a term of this group? Its deadline must lie ahead, by D at most, and its
 * spans must keep the promise of base/budget.h. */
enum ticket_verdict keeper_judge_ticket(const struct ticket *t, const char *group, usec_t now);

/* The state at the start of a term; only for a ticket that was found TICKET_GOOD. */
struct keeper keeper_begin(const struct ticket *t);

/* A datagram of this length, judged and acted on: MESSAGE_EXTENDED has moved the deadline, and L
 * and D with it; MESSAGE_ENDED has begun the end; every other verdict is a refusal and has changed
 * nothing. An extension to the present deadline may shorten L and D. `now` is read after the
 * datagram was. from_agent: the kernel vouches for the sender's uid. */
enum message_verdict keeper_receive(struct keeper *k, const struct keeper_message *m, size_t length,
                                    bool from_agent, usec_t now);

/* Begins the end; the first reason stays. */
void keeper_end(struct keeper *k, enum keeper_end_reason reason, usec_t now);

/* Begins the end when the deadline has come. Asked before anything is read. */
void keeper_check_deadline(struct keeper *k, usec_t now);

/* When SIGKILL is due: S after the end began, at most S after the deadline however late the end
 * was noticed. USEC_INFINITY while leading. */
usec_t keeper_kill_time(const struct keeper *k);
bool keeper_kill_due(const struct keeper *k, usec_t now);

/* Is nothing of the group left that could run, or begin to? An empty cgroup is nothing, once no
 * unit has its link any more: until then it may be the one of a start or of an ExecStopPost= that
 * PID 1 has under way, and is looked at last. Where a unit can have no link, it counts; and where
 * such a unit needs no process to be up, the agent's word does, which has PID 1's answer. reboot:
 * the host is restarted for what a stop left behind, so the agent's word on that is waited for. */
bool look_gone(const struct keeper_look *l, bool reboot);

/* Is that a reason for an alert, or to restart the host, when SIGKILL was sent long enough ago? Not
 * a PID 1 that is busy and has yet to notice that all processes are gone: only if some unit keeps
 * what is no process, or if the agent has not said that none does. */
bool look_left(const struct keeper_look *l);

/* May the keeper go? */
bool keeper_may_exit(const struct keeper *k, const struct keeper_look *l, bool reboot);

/* The next time to wake up without being asked, absolute. notify_pending: something did not get
 * into PID 1's socket. */
usec_t keeper_wakeup(const struct keeper *k, bool notify_pending, usec_t now);

/* What to send as WATCHDOG_USEC=: PID 1 fires between it and BUDGET_PID1_ACCURACY_USEC later,
 * so at the deadline plus the slack at the latest. Never 0 nor infinity, which would switch the
 * watchdog off. */
usec_t keeper_watchdog_span(const struct keeper *k, usec_t now);

/* The fence, run by PID 1 once the keeper is gone. state is what the keeper left, or NULL: the end
 * had begun (or no term ever did), and whatever is left has no right to run. Begun at `now`. */
usec_t fence_kill_time(const struct ticket *state, usec_t now);
usec_t fence_wakeup(usec_t began, usec_t kill_time, usec_t now);

/* Keeper and fence alike, while look_left(). killed: when SIGKILL was first sent, USEC_INFINITY
 * before; kill: K; reboot: fence = "reboot". With reboot, the
 * alert comes first, and the host has restarted by killed + K; without, there is the alert when K
 * is over, and nothing else. */
enum last_resort last_resort_due(usec_t killed, usec_t kill, bool reboot, usec_t now);

/* For the log, in the words of a sentence that goes "refused: …" or "ending term 7: …". */
const char *ticket_verdict_text(enum ticket_verdict v);
const char *message_verdict_text(enum message_verdict v);
const char *keeper_end_reason_text(enum keeper_end_reason r);

#endif
