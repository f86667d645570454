/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SEARCH_H
#define TENURE_TESTS_SEARCH_H

/* Every state that a small world can reach, one after the other: two or three nodes of one group
 * with their agents, keepers, fences and units, and one record. Election and keeper's rules are
 * those that are shipped; around them stands the smallest model that can do to them what
 * docs/safety.md allows. The simulation (tests/sim) samples a rich world; this exhausts a poor
 * one.
 *
 * What is made discrete, and why that is enough, or what it leaves out:
 *
 * - Time is a row of ticks. All clocks of a tick read the same, and whatever is due in it happens
 *   in it, in every order. A tick ends when nothing that is due is left. So what is promised to
 *   be done before a time is done before the tick of that time begins, and what is allowed from a
 *   time on is allowed in its tick, before or after anything else of that tick. Why that is
 *   enough: what decides here is whether a clock has reached a time, and the spans of the budget
 *   are whole ticks; take a run on real time, move each time to the tick before or after it, by
 *   whether the part behind the tick is below some limit: the order stays, and no span gets
 *   shorter or longer than its bound. What it leaves out is all that needs less than a tick: an
 *   extension that is read a moment before the deadline is on the grid one that is read a tick
 *   before, or too late; a member that would ask again after a part of a tick (p, retries, 300 ms
 *   after a release) asks in the next one. On the finer grid (--fine) these are half as long; the
 *   simulation has no ticks.
 * - The budget is that of the grid: every part of it is a whole number of ticks, rounded up, and
 *   D is what is left, so that D + S + (delta + K) + rate = L exactly. One tick more of anything,
 *   and two may run (deliberate breaks show it). That a real budget keeps its inequality is
 *   arithmetic, and has nothing to do with the order of events.
 * - Clocks run alike, but for a deviation by which one of them gains or loses one tick, once in a
 *   run: that is far more than 1/1000 of a lease. A leader's that loses and a standby's that gains
 *   come to the same: only their difference matters, and L has one tick for it.
 * - Lateness, loss, crashes and orders by hand are deviations, and a run has at most as many as
 *   asked for, anywhere. What is late may come at any later time, or never. Never late, as
 *   docs/safety.md assumes: keeper or PID 1 at the deadline, SIGKILL. Between two processes of a
 * host nothing is late without a deviation, but anything may come in between within the tick.
 * - What is the same but for names is one state: times count from now, and those that are too old
 *   to matter are alike; terms are compared only, so their order is kept; a nonce is equal to
 *   another or not; nodes may change places. What is not read any more is cleared (pack.c).
 * - A server that restarts has lost nothing, for in one history it may not: what is asked is that
 *   nobody relies on that.
 * - Guards that are lost are so for good, two heals having failed, until nothing runs there any
 *   more: so the member may give up in any state of the world, and when that is too soon matters
 *   to nobody else. A unit that crashed then runs outside its slice: keeper and fence miss it, and
 *   PID 1 stops it by its name.
 * - Left out: failovers and forks (one history), the method advisory, several groups, different
 *   budgets and a change of them, waits that grow after failed starts, heals and their pauses, the
 *   arbiter's wall clock, a stray unit without a keeper, PID 1 that hangs for longer than one
 *   call, what an operator does to units. The simulation has them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ticket.h"
#include "election/member.h"
#include "keeper/rules.h"

#define SEARCH_NODES_MAX 3
#define SEARCH_STRAYS_MAX 3
#define SEARCH_MESSAGES_MAX 4
#define SEARCH_CHOICES_MAX 160
#define SEARCH_PACKED_MAX 512
#define SEARCH_DEVIATIONS_MAX 2
#define SEARCH_TEXT_MAX 160
#define SEARCH_TIMELINE 1
#define SEARCH_LIFE 10 /* of the server in every state: those before it count down */

/* Everything a world has in common with all others. */
struct grid {
    const char *name;
    unsigned nodes;
    usec_t tick;
    struct budget budget;
    bool skew_is_free; /* clocks that are off do not count as a deviation */
    usec_t rest;       /* delta + K, in whole ticks: from SIGKILL's time until all is gone */
    unsigned skew_max; /* ticks that all clocks may be off in a run */
};

extern struct grid grid;

/* Now, by every clock: the times of a state count from here. */
#define SEARCH_NOW(g) (100 * (g).tick)

enum pending {
    PENDING_NO,
    PENDING_NOW,  /* within this tick */
    PENDING_LATE, /* at any time, or never: a deviation */
};

struct exchange {
    bool sent;     /* on its way to the arbiter */
    bool answered; /* on its way back */
    bool stale;    /* with a deliberate break only: answers an earlier request */
    bool late;     /* both at any time, or never */
    unsigned node; /* who sent it */
    struct request request;
    struct reply reply;
    char owner[OWNER_MAX + 1];
    usec_t age;  /* in true time: for how long the record had not been written when it was sent */
    bool orphan; /* a release of what this agent never had */
};

struct message {
    enum pending pending;
    uint32_t verb;
    uint64_t term;
    usec_t deadline;
};

enum keeper_unit {
    UNIT_INACTIVE,
    UNIT_ACTIVE,
    UNIT_DEACTIVATING,
};

/* What a host has in files: the ticket, the keeper's state, and what its units were started by. */
struct paper {
    uint64_t term;
    usec_t deadline;
    char owner[OWNER_MAX + 1];
};

/* What really came and was done, written without looking into the member. */
struct witness {
    bool seen, claimable;
    uint64_t term, life; /* the server's */
    struct nonce nonce;
    usec_t since, last;
    bool reconnected; /* since then */
    bool was_notified;
    struct release_notice notice;
    uint64_t acked_term;
    usec_t acked_deadline;
    uint64_t own_term; /* acked_term, if by this very agent */
    uint64_t released_term, ticketed_term;
};

enum start_answer {
    START_UNANSWERED,
    START_DONE,
    START_REFUSED,
};

struct node {
    char owner[OWNER_MAX + 1];
    char name; /* for the reader: nodes change places when that makes a state like another */

    /* the agent */
    bool alive, connected, stalled, retired;
    struct member member;
    unsigned effect; /* decided, not carried out: it hangs in between */
    struct paper effect_paper;
    struct exchange x;
    bool look_wanted, looking; /* looking: asked and answered, and the answer is on its way */
    struct host_state look;
    bool start_pending, start_time_up;
    enum start_answer start_answer;
    enum pending hint;
    struct release_notice notice;
    enum pending late_hint;
    struct release_notice late_notice;
    struct witness witness;

    /* the host */
    enum pending start, units_start;
    bool start_queued;
    bool has_ticket;
    struct paper ticket;
    enum keeper_unit unit;
    bool stop_queued, keeper_alive, frozen;
    struct keeper keeper;
    bool has_state;
    struct paper state;
    struct message messages[SEARCH_MESSAGES_MAX];
    usec_t fence_kill_at, watchdog_at;
    bool running, stop_begun;
    bool bare;         /* its units' guards are lost */
    bool outside;      /* what runs, does not in its slice */
    usec_t stopped_at; /* outside: when PID 1 began to stop it */
    usec_t killed_at;  /* 0: not */
    struct paper run;  /* what they run by, with the deadline that was last accepted */
};

enum violation {
    VIOLATION_NONE,
    VIOLATION_TWO_LEADERS,
    VIOLATION_TERM_REUSED,
    VIOLATION_SECOND_TICKET,
    VIOLATION_TICKET,
    VIOLATION_DEADLINE,
    VIOLATION_CLAIM,
    VIOLATION_RELEASE,
    VIOLATION_ORPHAN,
    VIOLATION_COPY,
    VIOLATION_STOP,
    VIOLATION_ALIVE,
    VIOLATIONS,
};

struct world {
    struct node nodes[SEARCH_NODES_MAX];
    struct record row;
    uint64_t life;                             /* of the server */
    usec_t written_at;                         /* when the nonce last changed, in true time */
    struct exchange strays[SEARCH_STRAYS_MAX]; /* given up, and yet on their way */
    uint64_t started_term;                     /* the highest that a keeper began with */
    unsigned orders;     /* left: what an operator may do without it being a deviation */
    unsigned deviations; /* left */
    unsigned skew;       /* left */
    uint8_t next_nonce;

    enum violation violation;
    char text[SEARCH_TEXT_MAX];
};

enum choice_kind {
    /* what happens by itself */
    CHOICE_BOOT,
    CHOICE_CONNECT,
    CHOICE_SEND,
    CHOICE_EXECUTE,
    CHOICE_DELIVER,
    CHOICE_TIME_UP,
    CHOICE_STRAY,
    CHOICE_CLOCK,
    CHOICE_LOOK,
    CHOICE_LOOK_ANSWER,
    CHOICE_LOOK_TIME_UP,
    CHOICE_STARTED,
    CHOICE_HINT,
    CHOICE_LATE_HINT,
    CHOICE_GO_ON,
    CHOICE_RESUME,
    CHOICE_START,
    CHOICE_START_QUEUED,
    CHOICE_UNITS_START,
    CHOICE_MESSAGE,
    CHOICE_DEADLINE,
    CHOICE_KILL,
    CHOICE_GONE,
    CHOICE_EXIT,
    CHOICE_WATCHDOG,
    CHOICE_FENCE_DONE,
    CHOICE_THAW,
    CHOICE_TICK,
    /* deviations */
    CHOICE_REQUEST_LATE,
    CHOICE_ROW_LOCKED,
    CHOICE_RESET,
    CHOICE_RESTART,
    CHOICE_RESTART_HIDDEN,
    CHOICE_STALL,
    CHOICE_CRASH,
    CHOICE_REBOOT,
    CHOICE_UNFIT,
    CHOICE_LOOK_HELD,
    CHOICE_HINT_LATE,
    CHOICE_LIE,
    CHOICE_STOP,
    CHOICE_START_BY_HAND,
    CHOICE_START_LATE,
    CHOICE_START_REFUSED,
    CHOICE_UNITS_LATE,
    CHOICE_MESSAGE_LATE,
    CHOICE_MESSAGE_TWICE,
    CHOICE_KEEPER_KILLED,
    CHOICE_KEEPER_FROZEN,
    CHOICE_GUARDS_LOST,
    CHOICE_OUTSIDE,
    CHOICE_CLOCK_SLOW,
    CHOICE_CLOCK_FAST,
    CHOICES,
};
#define CHOICE_FIRST_DEVIATION CHOICE_REQUEST_LATE

struct choice {
    enum choice_kind kind;
    uint8_t node, number;
    bool stalls; /* a deviation: the agent hangs between its decision and what it does */
};

/* Deliberate breaks, by the names they have in the simulation. */
enum search_break {
    BREAK_NONE,
    BREAK_DEADLINE_FROM_REPLY,
    BREAK_UNKNOWN_RENEWAL_BELIEVED,
    BREAK_UNKNOWN_CLAIM_BELIEVED,
    BREAK_OBSERVATION_KEPT,
    BREAK_OBSERVATION_HALVED,
    BREAK_RECONNECT_IGNORED,
    BREAK_RESTART_IGNORED,
    BREAK_CLAIM_OF_ANOTHER_LIFE,
    BREAK_PROOF_FROM_BEFORE,
    BREAK_PROOF_INVENTED,
    BREAK_TICKET_LEFT,
    BREAK_ADOPTED_BY_READING,
    BREAK_TERM_TWICE,
    BREAK_KEEPER_ADDS_GRACE,
    BREAK_KEEPER_BELIEVES_TICKET,
    BREAK_KEEPER_KILLS_LATE,
    BREAK_KEEPER_NEVER_KILLS,
    BREAK_CLAIM_IGNORES_NONCE,
    BREAK_CLEAN_UNTESTED,
    BREAK_NOTICE_OBSERVED,
    BREAK_RENEWS_ANYBODYS,
    BREAK_NONCE_COUNTS,
    BREAK_STALE_REPLY_BELIEVED,
    BREAK_RELEASE_IGNORES_TERM,
    BREAK_RELEASE_IGNORES_NONCE,
    BREAK_TICKET_TWICE,
    BREAK_KEEPER_BELIEVES_LATE,
    BREAK_RELEASE_TAKEN_BACK,
    BREAK_TERM_NOT_RAISED,
    BREAK_RATE_FORGOTTEN,
    BREAK_MISSING_IS_EMPTY,
    BREAK_ORPHAN_AT_ONCE,
    BREAK_UNKNOWN_NONCE_FORGOTTEN,
    BREAKS,
};

extern enum search_break broken;

/* Situations that must have come about, or the search has proven nothing. */
enum covered {
    COVER_CLAIM_OBSERVED,
    COVER_CLAIM_RECONNECTED,
    COVER_CLAIM_CLEAN,
    COVER_CLAIM_NOTICE,
    COVER_CLAIM_DENIED,
    COVER_RELEASED,
    COVER_RENEWED,
    COVER_STRAY_CLAIM,
    COVER_STRAY_RENEWAL,
    COVER_STRAY_RELEASE,
    COVER_UNITS_STARTED,
    COVER_TERM_AFTER_DEADLINE,
    COVER_KILLED_BY_KEEPER,
    COVER_KILLED_BY_FENCE,
    COVER_KILLED_BY_WATCHDOG,
    COVER_KILLED_BY_NAME,
    COVER_GONE_AT_THE_LAST_MOMENT,
    COVER_TICKET_REFUSED,
    COVER_TICKET_MISSING,
    COVER_EXTENSION_NOT_LATER,
    COVER_EXTENSION_ENDING,
    COVERS,
};

struct coverage {
    uint64_t covers[COVERS];
    uint64_t choices[CHOICES];
    uint64_t stalls;
    uint64_t moves[MEMBER_STATES][MEMBER_STATES];
    uint64_t reasons[REASON_COPY + 1];
};

extern struct coverage coverage;

/* world.c */
void world_init(struct world *w, unsigned deviations, unsigned orders);
/* The owner of each node, and its member as it is before its first event. */
void world_begin_members(struct world *w);
unsigned world_choices(const struct world *w, struct choice *ret);
void world_apply(struct world *w, const struct choice *c);
void world_violate(struct world *w, enum violation v, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *violation_name(enum violation v);
const char *choice_name(enum choice_kind kind);
const char *cover_name(enum covered c);

/* agent.c */
usec_t agent_now(const struct node *n);
void agent_step(struct world *w, struct node *n, struct member_event event, bool stalls);
void agent_carry_out(struct world *w, struct node *n);
void agent_boot(struct world *w, struct node *n);
void agent_connect(struct world *w, struct node *n, bool stalls);
void agent_send(struct world *w, struct node *n, bool fit, bool stalls);
void agent_deliver(struct world *w, struct node *n, bool stalls);
void agent_lose_connection(struct world *w, struct node *n, bool stalls);
void agent_crash(struct world *w, struct node *n);
void agent_look_at_host(struct node *n, struct host_state *ret);
void agent_take_look(struct world *w, struct node *n, const struct host_state *look, bool stalls);
void agent_started(struct world *w, struct node *n, bool stalls);
void agent_hint(struct world *w, struct node *n, const struct release_notice *notice, bool stalls);

/* arbiter.c */
void arbiter_execute(struct world *w, struct exchange *x, bool locked);
bool arbiter_is_void(const struct world *w, const struct exchange *x);
struct nonce arbiter_nonce(struct world *w);
/* Does a renewal or release name it? */
bool arbiter_named(const struct request *q, const struct nonce *nonce);

/* machine.c */
void machine_start(struct world *w, struct node *n, bool queued);
void machine_units_start(struct world *w, struct node *n);
void machine_message(struct world *w, struct node *n, unsigned number);
void machine_send(struct node *n, uint32_t verb, uint64_t term, usec_t deadline);
void machine_deadline(struct node *n);
bool machine_kill_due(const struct node *n);
void machine_kill(struct node *n);
bool machine_must_be_gone(const struct node *n);
/* Do keeper, fence and PID 1 say that nothing of the group is up? */
bool machine_is_down(const struct node *n);
void machine_gone(struct node *n);
void machine_stop_keeper(struct node *n);
bool machine_may_exit(const struct node *n);
void machine_exit(struct node *n);
bool machine_watchdog_due(const struct node *n);
void machine_keeper_killed(struct node *n);
void machine_fence_done(struct world *w, struct node *n);
void machine_reboot(struct world *w, struct node *n);

/* checker.c */
void checker_send(struct world *w, struct node *n, struct exchange *x, bool fit);
void checker_answer(struct node *n, const struct exchange *x);
/* A member says that there is a copy of its host: in this world there is none. */
void checker_copy(struct world *w, const struct node *n);
void checker_claimed(struct world *w, const struct exchange *x);
void checker_released(struct world *w, const struct exchange *x);
void checker_ticket(struct world *w, struct node *n, const struct paper *t);
void checker_extend(struct world *w, const struct node *n, const struct paper *t);
void checker_extended(struct world *w, const struct node *n);
void checker_keeper(struct world *w, const struct node *n);
void checker_started(struct world *w, const struct node *n);
void checker_tick(struct world *w, const struct node *n);
/* What must hold in every state. */
void checker_state(struct world *w);

/* breaks.c */
const char *break_name(enum search_break b);
enum violation break_found_by(enum search_break b);
unsigned break_deviations(enum search_break b);
unsigned break_orders(enum search_break b);
bool break_is_quick(enum search_break b);
void break_grid(enum search_break b);
void break_before(struct node *n, struct member_event *event, struct reply *spare_reply,
                  struct host_state *spare_host);
void break_after(struct node *n, const struct member *before, const struct member_event *event,
                 struct update *update);

/* pack.c */
/* Makes alike what cannot be distinguished, and writes it down; returns the length. */
size_t pack(struct world *w, uint8_t *ret);
void unpack(const uint8_t *packed, struct world *ret);
/* Time goes on by a tick: for one node (true time is no node's), or for true time alone. */
void shift_node(struct node *n);
void shift_true(struct world *w);

/* search.c */
struct result {
    uint64_t states, transitions;
    unsigned depth;
    size_t longest;
    bool complete; /* all states were looked at */
    enum violation violation;
    double seconds; /* of one core */
};

struct search_options {
    unsigned deviations, orders;
    uint64_t states_max;
    enum violation only;
    bool quiet;
};

struct result search(const struct search_options *o);

#endif
