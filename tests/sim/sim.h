/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SIM_H
#define TENURE_TESTS_SIM_H

/* A world of a few hosts, a few groups and one arbiter, on virtual time. It drives the election
 * (member.c), the keeper's rules (rules.c), the budget's arithmetic and the agent's account of its
 * session (advisory.c) as they are shipped; everything around them is a model that may be as slow,
 * late, lossy and dead as docs/safety.md allows, and no more. One seed is one run: nothing in here
 * reads a clock or any randomness but the world's own.
 *
 * Two kinds of time: true time (`w->now`, all hosts' and the arbiter's), which only the model and
 * the invariants see, and each host's CLOCK_BOOTTIME, which runs up to 0.1 % fast or slow. */

#include <stdbool.h>
#include <stdint.h>

#include "arbiter/advisory.h"
#include "base/ticket.h"
#include "election/confirm.h"
#include "election/member.h"
#include "keeper/rules.h"

#define SIM_HOSTS_MAX 7
#define SIM_GROUPS_MAX 3
#define SIM_NODES_MAX (SIM_HOSTS_MAX * SIM_GROUPS_MAX)
#define SIM_SERVERS 2 /* the primary, and one that should be dead */
#define SIM_VERSIONS 8
#define SIM_EVENTS_MAX 16384
#define SIM_EXCHANGES_MAX 4096
#define SIM_FAULTS_MAX 48
#define SIM_WALL_USEC (1700000000 * USEC_PER_SEC) /* the server's wall clock, at first */
#define SIM_TICKETS_MAX 1024
#define SIM_TEXT_MAX 256
#define SIM_COPIES_MAX 2
#define SIM_NONCES 16 /* of a life, remembered by the invariants */
/* After a stall, what has queued up is taken in any order within this. */
#define SHUFFLE_USEC 100u
/* The keeper's last word reaches PID 1, and PID 1's the units, a moment after it was said. */
#define CARRIED_USEC (10 * USEC_PER_MSEC)

enum actor {
    ACTOR_WORLD,
    ACTOR_AGENT,
    ACTOR_PID1,
    ACTOR_KEEPER,
    ACTOR_KERNEL, /* of a host: never stalled */
};

enum kind {
    /* the world */
    WORLD_FAULT,
    WORLD_FAULT_END,
    WORLD_CALM,
    WORLD_CHECK,
    SERVER_EXECUTE,
    SERVER_COMMIT,
    WORLD_CONFIRM,
    WORLD_CONFIRM_ANSWER,
    /* an agent */
    AGENT_BOOT,
    AGENT_TURN,
    AGENT_CONNECT,
    AGENT_RESET,
    AGENT_ANSWER,
    AGENT_TIME_UP,
    AGENT_HINT,
    AGENT_ORDER,
    AGENT_EFFECT,
    AGENT_TICKET_OUT,
    AGENT_RETURN,
    AGENT_LOOK,
    AGENT_LOOK_ANSWER,
    AGENT_LOOK_TIME_UP,
    AGENT_START_ANSWER,
    AGENT_HEALED,
    AGENT_BUS_LOST,
    /* PID 1 */
    PID1_LOOK,
    PID1_START,
    PID1_STOP,
    PID1_JOB,
    PID1_READY,
    PID1_PING,
    PID1_STOPPING,
    PID1_WATCHDOG,
    PID1_KEEPER_EXITED,
    PID1_UNIT_START,
    PID1_UNIT_STOP,
    PID1_UNITS_EXITED,
    PID1_UNIT_CRASH,
    PID1_UNIT_RESTART,
    PID1_STOP_TIMEOUT,
    PID1_HEAL,
    PID1_HEALED,
    PID1_HOOK,
    PID1_HOOK_EXITED,
    /* the keeper */
    KEEPER_MESSAGE,
    KEEPER_TIMER,
    KEEPER_SIGNAL,
    KEEPER_BARRIER,
    /* processes that only need the kernel */
    KERNEL_KEEPER_BEGINS,
    KERNEL_FENCE,
    KERNEL_UNITS_GONE,
    KERNEL_HOOK_GONE,
    KINDS,
};

/* What PID 1's answer to a look says of units and guards. */
enum look_bits {
    LOOK_DEAD = 1 << 0,
    LOOK_STAYS = 1 << 1,
    LOOK_PART = 1 << 2,
    LOOK_BARE = 1 << 3,
    LOOK_OUTSIDE = 1 << 4,
    LOOK_LEFT = 1 << 5,
};

struct sim_event {
    usec_t at;
    uint64_t order;
    enum kind kind;
    uint8_t node;
    uint32_t life;   /* of the agent, the boot or the keeper it is for */
    uint32_t number; /* exchange, fault, question or keeper's life */
    uint64_t a, b;
    usec_t lease, duration; /* of a message to the keeper */
    bool postponed;         /* the one that it is for was frozen when it came */
};

/* One request and its answer. Those of a tick have numbers in a row. */
struct exchange {
    struct request request;
    struct reply reply;
    char owner[OWNER_MAX + 1];
    uint8_t node, server;
    uint32_t life;       /* the agent's */
    uint32_t connection; /* the host's */
    uint32_t era;        /* the server's */
    uint32_t first, n;   /* of its tick */
    usec_t sent, sent_host;
    bool given_up, fit;
    bool seen_clean;  /* the node had seen for itself that the record it claims is clean */
    bool seen_long;   /* and for how long it has seen it is enough for its own lease, too */
    bool seen_before; /* the connection that it was seen in first is over */
    /* advisory */
    usec_t waited, bound; /* as arbiter/advisory.c says; the session's, from then on */
    unsigned drop;        /* let go of the locks of these groups first, each a bit */
    bool orphan;          /* releases what this life of the agent neither had nor wrote */
    bool held;            /* what the server says */
    bool locked;          /* and how it was when this was carried out */
    uint32_t zombie;      /* granted by a primary that should be dead: after which fork */
};

/* What was committed. */
struct version {
    struct record record;
    struct epoch epoch;
    enum method method;
    usec_t written_at; /* in true time; 0: at the beginning */
};

/* A lock of a session, and what becomes of that. */
struct lock {
    bool held;
    uint8_t host;
    uint32_t connection;
    char owner[OWNER_MAX + 1];
    usec_t bound;     /* over when the client has said nothing for so long; 0: never */
    usec_t active_at; /* when it last said something */
    usec_t over_at;   /* when the server will have noticed that it is gone */
};

struct row {
    bool exists;
    struct version now, pending, older[SIM_VERSIONS];
    unsigned n_older;
    bool writing;
    uint32_t writer; /* exchange whose commit is under way: the row is locked, and that not seen */
    usec_t locked_until;
    usec_t written_at; /* when the nonce last changed */
    uint64_t highest_term;
    struct lock lock;
};

struct server {
    struct row rows[SIM_GROUPS_MAX];
    struct epoch epoch;
    uint32_t era; /* what was under way in an earlier one is lost; 0: there is no such server */
    usec_t down_until;
    usec_t began;     /* its present life; 0: at the beginning */
    usec_t clock_set; /* by how much its wall clock was set, so far; wraps when that is back */
    uint32_t ended[SIM_HOSTS_MAX]; /* of each: the last connection that was ended here */
};

enum unit_state {
    UNIT_INACTIVE,
    UNIT_QUEUED,
    UNIT_ACTIVATING,
    UNIT_ACTIVE,
    UNIT_DEACTIVATING,
};

/* ExecStopPost=: takes away what no process holds. Nothing of the unit runs before it does. */
enum hook {
    HOOK_NONE,
    HOOK_DUE, /* the unit's processes are gone, and PID 1 is about to run it */
    HOOK_RUNS,
};

/* What the invariants remember of what really came to an agent: written without looking into the
 * member. */
struct witness {
    bool seen;
    struct record record;
    struct epoch epoch;
    usec_t since, last;
    uint32_t connection; /* that it was read in first since then */
    bool was_notified;   /* by a notification, in this connection */
    struct release_notice notice;
    uint64_t acked_term;
    usec_t acked_deadline;
    uint64_t released_term;
    uint64_t own_term; /* acked_term, if by this very life */
    struct epoch acked_epoch;
    struct nonce own[SIM_NONCES]; /* that this life sent, the newest first */
    unsigned n_own;
    /* The record in its own name that it has not: how often it changed under its eyes. */
    uint64_t orphan_term;
    struct nonce orphan_nonce;
    struct epoch orphan_epoch;
    unsigned orphan_changes;
};

struct host {
    uint8_t index;
    /* clock */
    usec_t boot_at, offset;
    int64_t ppm;
    uint32_t boot, instances;
    uint8_t family; /* the same for all copies of a host */
    bool copied;    /* there is another one */

    /* agent */
    char owner[OWNER_MAX + 1];
    bool alive, unfit, no_slot;
    uint32_t life;
    usec_t agent_stalled_until, turn_at;
    bool connected, busy, connecting;
    usec_t connected_at, fit_at; /* in true time: since when, if it is */
    uint32_t connection;
    uint32_t tick;         /* the number of its first exchange */
    uint8_t server, side;  /* that it is connected to; that it finds when it connects */
    struct epoch seen;     /* the highest timeline of the last system */
    struct epoch answered; /* the same, for the invariants */
    struct advisory advisory;
    usec_t cut_until;
    usec_t bus_until, guards_until; /* the bus is gone, the guards are not known again */
    usec_t window;
    unsigned sends, clocks, looks;

    bool healing; /* as the agent knows */
    uint32_t heal_number;
    usec_t heal_asked_at;
    usec_t heal_window;
    unsigned heals;

    usec_t pid1_stalled_until, reload_until;
};

/* A host's part in one group. */
struct node {
    uint8_t index, group;
    struct host *host;

    /* agent */
    struct budget budget;
    enum method method;
    struct member member;
    bool retired, unguarded, starts_fail;
    bool effect_pending;
    unsigned effect;
    struct ticket effect_ticket;
    bool looking, look_wanted;
    uint32_t look_number;
    usec_t look_asked_at;
    bool start_pending;
    uint32_t start_number, start_lost;
    struct guards_seen guards_seen;    /* what PID 1 said last of them */
    enum guards_state guards_reported; /* and what the member was sent */
    uint64_t nonces;                   /* only for a deliberate break */
    struct witness witness;

    /* host */
    bool has_ticket;
    struct ticket ticket;
    usec_t keeper_stalled_until;
    enum unit_state keeper_unit;
    bool start_queued;
    bool stop_queued; /* waits until the units have stopped */
    uint32_t keeper_life;
    bool keeper_alive, barrier;
    struct keeper keeper;
    bool has_state;
    struct ticket state;
    usec_t damage; /* the deadline that is read of it is later by that */
    usec_t watchdog_at;
    bool watchdog_late; /* PID 1 hung when the keeper set it */
    bool fence_running;
    usec_t fence_began, fence_kill_at;
    uint32_t zombie; /* what was granted last */
    /* In true time: when all that was granted here is over at the latest, but for K: that is of the
     * lease that was granted or sent last, or of the one that the units run by. */
    usec_t granted_until, granted_lease;
    uint64_t covered_term;
    usec_t covered_until; /* by this node's clock: what its last write of that term covers */
    bool running, killed; /* processes of the group's units */
    uint32_t units_life;  /* counts their starts */
    struct ticket run;    /* what they run by: with the deadline that was last accepted */
    bool stop_begun;
    enum hook hook;
    bool hook_killed;
    bool address;     /* what the units have set up, and no process holds */
    bool stop_failed; /* the last one, as PID 1 knows: they are up still, or what they set up is
                         left */
    usec_t running_since;
    usec_t stop_read_at; /* when PID 1 began to stop the keeper, by this node's clock */
    bool units_active;   /* as PID 1 sees them */

    /* guards */
    bool part_lost, bare; /* one copy, both */
    bool incurable;       /* no heal brings any back */
    bool outside;         /* the processes are not in the slice */
    bool crashed;         /* they ended by themselves: PID 1 starts them again … */
    bool restarting;      /* … a moment later */
    unsigned failed_stops;
    unsigned vain;         /* heals in a row that left both copies lost */
    unsigned vain_then;    /* before the last one */
    usec_t healed_at;      /* when it was over, by this node's clock */
    bool seen_since;       /* PID 1 was asked since then how they are, and has answered */
    usec_t back_at;        /* in true time: the last time that both were lost until then */
    uint64_t outside_term; /* the last that ran outside */
    /* Since when nothing keeps the leader from seeing it. */
    usec_t watched_since, outside_since;
    unsigned vain_watched; /* heals in vain since then, that were answered */
    usec_t vain_at;        /* the last of them */
};

enum fault_kind {
    FAULT_CUT,
    FAULT_RESET,
    FAULT_SERVER_RESTART,
    FAULT_FAILOVER,
    FAULT_OTHER_SYSTEM,
    FAULT_ROW_LOCKED,
    FAULT_ROW_TAKEN,
    FAULT_LATE,
    FAULT_AGENT_KILLED,
    FAULT_AGENT_STALLED,
    FAULT_KEEPER_KILLED,
    FAULT_KEEPER_STALLED,
    FAULT_PID1_STALLED,
    FAULT_BUS_LOST,
    FAULT_REBOOT,
    FAULT_RETIRED,
    FAULT_UNFIT,
    FAULT_NO_SLOT,
    FAULT_UNGUARDED,
    FAULT_STARTS_FAIL,
    FAULT_NEW_BUDGET,
    FAULT_CLOCK_SET,
    FAULT_FORKED,
    FAULT_OPERATOR,
    FAULT_STATE_DAMAGED,
    FAULT_COPY_LOST,
    FAULT_GUARDS_LOST,
    FAULT_UNIT_CRASHED,
    FAULT_COPIED,
    FAULT_CONFIRMED, /* where there are operators: all other runs are as they are without */
    FAULTS,
};

struct fault {
    enum fault_kind kind;
    uint8_t node;
    bool done;
    usec_t at, span;
};

enum violation {
    VIOLATION_NONE,
    VIOLATION_TWO_LEADERS,
    VIOLATION_TERM_REUSED,
    VIOLATION_SECOND_TICKET,
    VIOLATION_TICKET,   /* a ticket while something lives here, or for a term that was released */
    VIOLATION_DEADLINE, /* later than an acknowledgement allows, counted from the send */
    VIOLATION_COVER,    /* the lease in the record does not cover the keeper's deadline */
    VIOLATION_CLAIM,    /* neither observed for a full lease nor clean */
    VIOLATION_LIFE,     /* a claim on observation before the server has run for a lease */
    VIOLATION_RELEASE,  /* before all is dead, or of what was not seen last */
    VIOLATION_ORPHAN,  /* what was not its own is given back before it was seen unchanged, or though
                          a  copy has it */
    VIOLATION_COPY,    /* an end for a copy's sake, or for a nonce's, where there is no other */
    VIOLATION_COPIES,  /* two copies of a host run for longer than they may */
    VIOLATION_CONFIRM, /* confirmed dead unwatched, or as what others would not wait for */
    VIOLATION_STOP,    /* not begun at the deadline */
    VIOLATION_ALIVE,   /* when S and K after it have passed */
    VIOLATION_HISTORY, /* an answer out of an older one than was seen is believed */
    VIOLATION_LOCK,    /* advisory: granted to a session that does not have the lock */
    VIOLATION_GONE,    /* keeper and fence are gone, and something runs or is about to */
    VIOLATION_GUARDS,  /* lost ones not seen, or what is not lost taken for it */
    VIOLATION_SPINNING,
    VIOLATION_NO_LEADER,
    VIOLATION_UNREST, /* a leader that changes though nothing is wrong */
    VIOLATIONS,
};

/* Deliberate breaks: each must be caught by some invariant. They live in here alone. */
enum mutation {
    MUTATION_NONE,
    MUTATION_DEADLINE_FROM_REPLY,
    MUTATION_UNKNOWN_RENEWAL_BELIEVED,
    MUTATION_UNKNOWN_CLAIM_BELIEVED,
    MUTATION_OBSERVATION_KEPT,
    MUTATION_OBSERVATION_HALVED,
    MUTATION_RECONNECT_IGNORED,
    MUTATION_RECONNECT_FORGETS,
    MUTATION_RESTART_IGNORED,
    MUTATION_CLAIM_OF_ANOTHER_LIFE,
    MUTATION_PROOF_FROM_BEFORE,
    MUTATION_PROOF_INVENTED,
    MUTATION_TICKET_LEFT,
    MUTATION_ADOPTED_BY_READING,
    MUTATION_TERM_TWICE,
    MUTATION_KEEPER_ADDS_GRACE,
    MUTATION_KEEPER_BELIEVES_TICKET,
    MUTATION_KEEPER_KILLS_LATE,
    MUTATION_KEEPER_NEVER_KILLS,
    MUTATION_CLAIM_IGNORES_NONCE,
    MUTATION_CLEAN_UNTESTED,
    MUTATION_NOTICE_OBSERVED,
    MUTATION_RENEWS_ANYBODYS,
    MUTATION_COMMITS_LOST,
    MUTATION_DEAF_WHILE_ENDING,
    MUTATION_ALWAYS_DUE,
    MUTATION_NONCE_COUNTS,
    MUTATION_STALE_REPLY_BELIEVED,
    MUTATION_RELEASE_IGNORES_TERM,
    MUTATION_RELEASE_IGNORES_NONCE,
    MUTATION_CLEAN_ACROSS_TIMELINES,
    MUTATION_NEW_BUDGET_AT_ONCE,
    MUTATION_LONGER_AT_ONCE,
    MUTATION_SHORTER_AT_ONCE,
    MUTATION_ADOPTS_BY_THE_KEEPERS_D,
    MUTATION_EARLIER_SENDS_FORGOTTEN,
    MUTATION_LONGER_K_FORGOTTEN,
    MUTATION_TICKET_TWICE,
    MUTATION_KEEPER_BELIEVES_LATE,
    MUTATION_KILL_FROM_THE_END,
    MUTATION_QUARANTINE_SKIPPED,
    MUTATION_CLEAN_IN_QUARANTINE,
    MUTATION_LOCK_NOT_ASKED_FOR,
    MUTATION_OTHER_METHOD_IGNORED,
    MUTATION_OLD_TIMELINE_BELIEVED,
    MUTATION_HOST_TAKEN_FOR_EMPTY,
    MUTATION_FAILED_COUNTS_AS_DEAD,
    MUTATION_EMPTY_BELIEVED_FIRST,
    MUTATION_RELEASE_TAKEN_BACK,
    MUTATION_RENEWS_SELDOM,
    MUTATION_TERM_NOT_RAISED,
    MUTATION_SLACK_FORGOTTEN,
    MUTATION_RATE_FORGOTTEN,
    MUTATION_ACCURACY_FORGOTTEN,
    MUTATION_OBSERVES_TOO_LONG,
    MUTATION_YIELDS_TOO_LONG,
    MUTATION_ADOPTED_DEADLINE_BELIEVED,
    MUTATION_OLD_GUARDS_BELIEVED,
    MUTATION_UNKNOWN_IS_LOST,
    MUTATION_UNGUARDED_LEADS_ON,
    MUTATION_OUTSIDE_LEADS_ON,
    MUTATION_MISSING_IS_EMPTY,
    MUTATION_FAILED_IS_DEAD,
    MUTATION_HEALS_WITHOUT_PAUSE,
    MUTATION_ORPHAN_AT_ONCE,
    MUTATION_CHANGES_NOT_COUNTED,
    MUTATION_OTHER_NONCE_BELIEVED,
    MUTATION_OTHER_NONCE_IGNORED,
    MUTATION_RENEWS_BY_ANY_NONCE,
    MUTATION_UNKNOWN_NONCE_FORGOTTEN,
    MUTATION_OWN_NONCES_FORGOTTEN,
    MUTATION_OWN_RECORD_LEFT,
    MUTATION_CONFIRMED_BY_ONE_LOOK,
    MUTATION_CONFIRMED_IN_THE_OLD_TERM,
    MUTATION_CONFIRMED_CLEAN,
    MUTATION_CONFIRMED_FOR_LESS,
    MUTATIONS,
};

/* What happened over all runs: a run in which nothing happens proves nothing. */
struct coverage {
    uint64_t runs, steps, unit_starts, tickets, unknown_applied, late_applied;
    uint64_t moves[MEMBER_STATES][MEMBER_STATES];
    uint64_t reasons[REASON_COPY + 1];
    uint64_t faults[FAULTS];
    uint64_t clean_claims, observed_claims, notice_claims, lies, releases;
    uint64_t reconnected_claims, poolers, short_connections;
    uint64_t advisory_claims, quarantines, locks_lost, locks_retaken, locks_in_the_way;
    uint64_t ticks, overlaps, writes_lost, late_starts, namesakes, operators, damaged_adopted;
    uint64_t stops_failed, stops_repeated, lefts;
    uint64_t wrong_clocks, clock_overlaps, clock_overlap_usec, plugs;
    uint64_t heals, heals_refused, restarts, restarts_outside;
    uint64_t copies, copied_leaders, copies_at_once, copy_overlap_usec, copy_alarms, false_alarms;
    uint64_t new_leases, longer_lost;
    uint64_t lost_writes_survived, orphans_changed, adopted_later, own_claims;
    uint64_t words_done, words_refused, words_late, words_false, words_ended_sessions;
};

struct world {
    uint64_t seed, random;
    enum mutation mutation;
    bool trace;
    struct coverage *coverage;

    usec_t now;
    uint64_t order;
    uint64_t steps;
    unsigned n_queue;
    uint32_t n_exchanges;

    unsigned n_hosts, n_groups, n_nodes;
    struct host hosts[SIM_HOSTS_MAX];
    struct node nodes[SIM_NODES_MAX]; /* those of a host in a row */
    struct server servers[SIM_SERVERS];
    uint32_t eras, forks;
    bool wrong_clock; /* the first assumption is broken: a host's clock is off by some percent */
    bool copies;      /* hosts may be copied as they run, which no host shall be */
    bool words;       /* operators may have nodes confirmed dead */
    unsigned n_copies;
    bool foggy;        /* messages are lost, late or slow, here and there */
    usec_t late_until; /* all of them were late until then */

    usec_t connections_last; /* at most; 0: as long as nothing happens to them */

    struct fault faults[SIM_FAULTS_MAX];
    unsigned n_faults;
    unsigned late_permille, lost_permille, slow_permille;
    bool calm;
    usec_t calm_at;  /* faults end … */
    usec_t late_at;  /* … what is under way is carried out until then … */
                     /* … from then on no node leads for one failover at most … */
    usec_t quiet_at; /* … and from then on the leader stays */

    struct group {
        uint64_t ticketed[SIM_TICKETS_MAX]; /* terms */
        unsigned n_ticketed;
        bool keeps;              /* its units set up what no process holds */
        uint64_t started_term;   /* the highest */
        usec_t leaderless_since; /* since when nobody leads after the faults; 0: somebody does */
        usec_t bound;            /* for how long at most */
        int leader;              /* the node that was found once all had settled, or -1 */
        uint64_t leader_term;
        usec_t leader_since;
        usec_t taken_at; /* when a copy took the term over last, by reading the record */
        bool done;
    } groups[SIM_GROUPS_MAX];
    /* An operator's word about a node, while an agent acts on it. */
    struct operators_word {
        bool active;
        uint32_t life; /* counts them */
        uint8_t by;    /* the node whose agent does it */
        uint32_t agent;
        unsigned tries;
        struct confirm confirm;
    } word;
    bool pulled; /* the plug of a leader's host, when all had settled */
    bool done;

    enum violation only; /* look for this alone, or for all */
    enum violation violation;
    char text[SIM_TEXT_MAX];

    /* From here on nothing is read before it was written: not cleared between runs. */
    struct sim_event queue[SIM_EVENTS_MAX];
    struct exchange exchanges[SIM_EXCHANGES_MAX];
};

/* world.c */
uint32_t sim_random(struct world *w);
uint64_t sim_below(struct world *w, uint64_t n);
usec_t sim_between(struct world *w, usec_t low, usec_t high);
bool sim_chance(struct world *w, unsigned permille);
usec_t sim_host_state(const struct world *w, const struct host *h);
/* The first true time at which the host's clock shows at least `local`. */
usec_t sim_true(const struct world *w, const struct host *h, usec_t local);
/* The first of the host's nodes; there is one for each group. */
struct node *sim_nodes(struct world *w, const struct host *h);
void sim_push(struct world *w, struct sim_event h);
void sim_trace(struct world *w, const struct host *h, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_violate(struct world *w, enum violation v, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct exchange *sim_exchange(struct world *w, uint32_t number);
/* Runs one seed to its end. */
struct sim_options {
    enum mutation mutation;
    enum violation only;
    bool trace;
};

enum violation sim_run(struct world *w, uint64_t seed, const struct sim_options *options,
                       struct coverage *coverage);
const char *sim_violation_name(enum violation v);

/* search.c: seeds in a row, until one breaks something. */
struct sim_search {
    struct sim_options options;
    uint64_t from, seeds;
    uint64_t seconds; /* goes on after that many seeds until so much time has passed, and gives way
                         to whatever else runs; 0: does not */
    unsigned jobs;    /* processes; of one alone `w` is left as the last run left it */
};

/* Returns how many seeds it took, or 0: there is none. Adds up what happened. A run that fails in
 * itself, or comes to something else than the run of the same seed before, ends the program. */
uint64_t sim_search(const struct sim_search *search, struct world *w, struct coverage *coverage);

/* coverage.c */
/* With fewer seeds something may not happen by chance. */
#define COVERAGE_SEEDS 20000u

void coverage_add(struct coverage *sum, const struct coverage *more);
void coverage_print(const struct coverage *c);
/* A run in which nothing happens proves nothing: says what did not, if the seeds were enough. */
bool coverage_complete(const struct coverage *c);
/* The moves of a member from state to state, as documents show them. */
void edges_print(void);

/* server.c */
void server_begin(struct world *w);
/* Does a renewal or release name it? */
bool server_named(const struct request *q, const struct nonce *nonce);
void server_execute(struct world *w, uint32_t first);
void server_commit(struct world *w, const struct sim_event *h);
/* Everything under way is lost, but for commits that may have made it. */
void server_new_era(struct world *w, struct server *s);
/* The last writes are lost: a standby that had not got them takes the primary's place. */
void server_lose_writes(struct world *w, struct server *s);
/* A standby is promoted while the primary lives on; and that one is gone. */
void server_fork(struct world *w);
/* Has every group been led once? */
bool server_was_used(const struct world *w);
void server_heal(struct world *w);
/* The host's connection is gone, and its server will notice. */
void server_lost_client(struct world *w, const struct host *h);
/* An operator takes the record away from the node that has it. Whether there was one. */
bool server_take_row(struct world *w, unsigned group);

/* machine.c: PID 1, keeper, fence and units of one host */
void machine_handle(struct world *w, struct node *n, const struct sim_event *h);
void machine_push(struct world *w, struct node *n, enum kind kind, usec_t delay, uint64_t a);
/* Are there processes in the group's slice? */
bool machine_populated(const struct node *n);
void machine_kill_keeper(struct world *w, struct node *n);
/* The group's processes begin; outside: not in its slice. */
void machine_run_units(struct world *w, struct node *n, bool outside);
void machine_processes_end(struct world *w, struct node *n, usec_t delay);
void machine_reboot(struct world *w, struct host *h);

/* guards.c: what is lost of them, heals, and units that crash */
void guards_ask_heal(struct world *w, struct host *h);
void guards_begin_heal(struct world *w, struct node *n, const struct sim_event *h);
void guards_end_heal(struct world *w, struct node *n, const struct sim_event *h);
bool guards_lose(struct world *w, struct node *n, const struct fault *f);
void guards_back(struct world *w, struct node *n);
bool guards_crash(struct world *w, struct node *n);
void guards_restart(struct world *w, struct node *n, const struct sim_event *h);
/* Does the stop of what runs come to nothing? */
bool guards_stop_fails(struct world *w, struct node *n);

/* agent.c */
void agent_handle(struct world *w, struct node *n, const struct sim_event *what);
void agent_push(struct world *w, const struct node *n, enum kind kind, usec_t delay,
                uint32_t number);
/* For the agent as a whole. */
void agent_push_host(struct world *w, const struct host *h, enum kind kind, usec_t delay,
                     uint32_t number);
void agent_die(struct world *w, struct host *h);
void agent_lose_connection(struct world *w, struct host *h);
void agent_signal(struct world *w, struct node *n); /* PID 1 says that something changed */

/* faults.c */
const char *fault_name(enum fault_kind k);
void faults_plan(struct world *w);
void fault_begin(struct world *w, unsigned number);
void fault_end(struct world *w, unsigned number);
void faults_calm(struct world *w);
void fault_reboot(struct world *w, struct host *h, usec_t span);
/* Of the guards of one group only one at a time is hindered: may it be PID 1? */
bool fault_pid1_may_stall(struct world *w, const struct host *h);
bool fault_keeper_hindered(const struct world *w, const struct node *n);

/* confirm.c: operators who have a node confirmed dead */
enum sim_word {
    WORD_TRUE,  /* the plug was pulled */
    WORD_CUT,   /* it is cut off, and lives */
    WORD_FALSE, /* nothing is wrong with it */
    WORDS,
};
bool confirm_order(struct world *w, unsigned group, enum sim_word kind, usec_t span);
void confirm_handle(struct world *w, const struct sim_event *what);
void confirm_answered(struct world *w, uint32_t number);
void confirm_calm(struct world *w);
/* And the invariants for what was committed. */
void confirm_committed(struct world *w, const struct exchange *x, struct row *row,
                       const struct server *s);

/* copies.c: a second host with the memory of another, and the invariants for both */
bool copy_make(struct world *w, const struct host *h);
/* May the units of one begin although the other's run? */
bool copy_may_overlap(const struct node *a, const struct node *b);
/* For how long it lasts. */
void copy_step(struct world *w, const struct node *n);
void copy_gone(struct world *w, const struct node *n);

/* checker.c: the invariants */
void checker_send(struct world *w, struct node *n, struct exchange *x);
void checker_notice(struct node *n, const struct release_notice *notice);
void checker_answer(struct world *w, struct node *n, const struct exchange *x,
                    const struct reply *reply);
void checker_ticket(struct world *w, struct node *n, const struct ticket *t);
void checker_extend(struct world *w, struct node *n, const struct ticket *t);
void checker_adopted(struct world *w, const struct node *n);
void checker_keeper(struct world *w, const struct node *n);
void checker_guards_gone(struct world *w, const struct node *n);
void checker_extended(struct world *w, const struct node *n);
void checker_covered(struct world *w, const struct node *n);
void checker_written(struct world *w, const struct exchange *x, const struct record *r);
void checker_history(struct world *w, struct host *h, const struct epoch *epoch);
void checker_locked(struct world *w, const struct exchange *x);
void checker_running(struct world *w, struct node *n);
/* A member has begun to end its term, or asks for a heal. */
void checker_ending(struct world *w, const struct node *n);
void checker_heal(struct world *w, struct host *h, const struct node *n);
void checker_gone(struct world *w, const struct node *n);
void checker_claimed(struct world *w, const struct exchange *x, struct row *row,
                     const struct server *s);
void checker_released(struct world *w, const struct exchange *x, const struct row *row);
void checker_busy(struct world *w, struct host *h, unsigned *count, const char *what);
void checker_step(struct world *w, struct node *n);
/* What the member made of this event. */
void checker_moved(struct world *w, struct node *n, const struct member *before,
                   const struct member_event *event, const struct update *update);
void checker_renewed(struct world *w, const struct exchange *x);
void checker_check(struct world *w);

/* mutation.c */
const char *mutation_name(enum mutation m);
/* Which invariant must notice it. */
enum violation mutation_caught_by(enum mutation m);
/* Before and after each step of a member. */
void mutate_before(struct world *w, struct node *n, struct member_event *event,
                   struct reply *spare_reply, struct host_state *spare_host);
void mutate_after(struct world *w, struct node *n, const struct member *before,
                  const struct member_event *event, struct update *update);

#endif
