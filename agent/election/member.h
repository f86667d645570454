/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_MEMBER_H
#define TENURE_ELECTION_MEMBER_H

/* A node's part in one group's election: every decision there is, and nothing else. No I/O, no
 * clock, no allocation, no logging: an event with its time goes in, actions come out, so that
 * simulation drives the very code that ships.
 *
 * The moves from state to state, as `sim --edges` prints them:
 *
 *     standby    --> confirming  the record has a claim of its own that was not answered
 *                --> starting    a claim is granted, and the host is ready
 *                --> adopting    a live keeper of its own is found
 *                --> ending      a claim is granted in vain; an orphan; a foreign keeper
 *     confirming --> starting    a renewal is granted, and the host is ready
 *                --> ending      a renewal is granted in vain; stop
 *                --> standby     the renewal is denied
 *     starting   --> leading     the keeper is active
 *                --> ending      the keeper does not start; stop
 *     adopting   --> leading     a renewal is granted
 *                --> ending      as leading
 *     leading    --> ending      stop; denied; deadline; the keeper or a guard is gone
 *     ending     --> releasing   all is dead, with proof
 *                --> standby     all is dead, and the record is not to be released
 *     releasing  --> standby     released, or lost to another node
 *
 * UNKNOWN replies move nothing: the deadline that was acknowledged last still rules. All times are
 * CLOCK_BOOTTIME in microseconds. */

#include "base/budget.h"
#include "election/cover.h"
#include "election/heal.h"
#include "election/host_state.h"
#include "election/nonces.h"
#include "election/pause.h"
#include "election/record.h"
#include "election/watch.h"

/* Times beyond this are none: CLOCK_BOOTTIME gets there in 73,000 years. */
#define MEMBER_TIME_MAX ((usec_t)1 << 61)

enum member_state {
    MEMBER_STANDBY,    /* observes; claims when it may */
    MEMBER_CONFIRMING, /* a claim of unknown outcome turned out ours: a renewal must prove it */
    MEMBER_STARTING,   /* the ticket is out, the keeper asked for */
    MEMBER_LEADING,    /* the keeper is active; renewing */
    MEMBER_ADOPTING,   /* a live keeper of this node was found: what is read of its record, and a
                          renewal by that, must prove its term */
    MEMBER_ENDING,     /* the keeper was asked to end; waiting for proof that all is dead */
    MEMBER_RELEASING,  /* proven dead: giving the record back as clean; where its nonce is not
                          known to be ours, when it was unchanged for a renewal interval */
};

#define MEMBER_STATES (MEMBER_RELEASING + 1)

/* Why a term ended, or why this node is not claiming. */
enum member_reason {
    REASON_NONE,
    REASON_STOPPED,        /* this node was asked to step down */
    REASON_DENIED,         /* the arbiter says the term is not (or no longer) ours */
    REASON_DEADLINE,       /* no renewal was acknowledged in time */
    REASON_KEEPER_LOST,    /* the keeper ended by itself */
    REASON_START_FAILED,   /* PID 1 refused to start the keeper, or it did not come up */
    REASON_LATE,           /* the claim was granted too late to start anything */
    REASON_HOST_NOT_READY, /* between claim and start this host stopped being ready */
    REASON_ORPHAN,         /* the record names this node, but no keeper lives */
    REASON_PAUSED,         /* this host seems to have been paused, unseen by its clocks */
    REASON_UNGUARDED,      /* a unit's guards are lost, and no heal has helped */
    REASON_OUTSIDE,        /* a unit runs where the keeper cannot reach it */
    REASON_FOREIGN_KEEPER, /* a keeper lives whose term is not this node's to renew */
    REASON_COPY,           /* a copy of this host renews in this node's very name */
};

enum member_event_type {
    EVENT_CLOCK,     /* member_wake() has come */
    EVENT_SEND,      /* a tick is being sent: what do you ask? now is t0 */
    EVENT_REPLY,     /* the answer to what EVENT_SEND put into the tick */
    EVENT_CONNECTED, /* the arbiter can be asked (again): no earlier hint counts */
    EVENT_HINT,      /* the record is said to have changed, or to be released */
    EVENT_HOST,      /* a poll of this host was answered */
    EVENT_STARTED,   /* PID 1 answered StartUnit */
    EVENT_HEALED,    /* a heal of this host is over, whichever group asked for it */
    EVENT_STOP,      /* give the group up, and claim no more */
    EVENT_RESUME,    /* take part (again), with this budget: L from the next renewal on, S from the
                        next claim on */
};

#define MEMBER_EVENTS (EVENT_RESUME + 1)

struct member_event {
    enum member_event_type type;
    usec_t now;                /* read for this very event: what was asked of PID 1 before the
                                  step must have an earlier time than this */
    uint32_t random;           /* any event: for jitter */
    struct nonce nonce;        /* EVENT_SEND: fresh */
    bool fit;                  /* EVENT_SEND: this node's clock may be trusted to renew and claim */
    bool may_claim;            /* EVENT_SEND: a slot is free, and no strays are being stopped */
    const struct reply *reply; /* EVENT_REPLY */
    const struct release_notice *notice; /* EVENT_HINT: what was given back; NULL: not said */
    const struct host_state *host;       /* EVENT_HOST */
    int error;       /* EVENT_STARTED: 0; -ETIMEDOUT, -ECONNRESET: no answer; -EAGAIN:
                        PID 1 was not asked; or what it said */
    usec_t asked_at; /* EVENT_HEALED: just before PID 1 was asked for it */
    bool answered;   /* EVENT_HEALED: it was done or refused; else PID 1 does not answer */
    const struct budget *budget; /* EVENT_RESUME */
};

enum member_action {
    ACTION_UNLINK = 1 << 0,      /* unlink the ticket; before everything else */
    ACTION_END = 1 << 1,         /* tell the keeper of member.term to end */
    ACTION_STOP_KEEPER = 1 << 2, /* have PID 1 stop the keeper and what is bound to it */
    ACTION_TICKET = 1 << 3,      /* write the ticket and ask PID 1 to start the keeper */
    ACTION_EXTEND = 1 << 4,  /* give the keeper member.deadline, and the lease of member.cover */
    ACTION_POLL = 1 << 5,    /* poll this host; after everything else */
    ACTION_REQUEST = 1 << 6, /* update.request goes into the tick (EVENT_SEND only) */
    ACTION_HEAL = 1 << 7,    /* have PID 1 read the guards again, unless that is under way on
                                this host; EVENT_HEALED follows */
};

/* What happened that is to be logged. */
enum member_note {
    NOTE_NONE,
    NOTE_STARTING,
    NOTE_LEADING,
    NOTE_ADOPTED,
    NOTE_ENDING, /* member.reason says why */
    NOTE_DEAD,   /* proven dead, about to release */
    NOTE_RELEASED,
    NOTE_LEFT,     /* dead, and yet something may be left: not released, the lease has to run out */
    NOTE_LOST,     /* dead, and the record is another's already: nothing to release */
    NOTE_STRAY,    /* units run here without a keeper */
    NOTE_NAMESAKE, /* another live instance uses this node's name */
    NOTE_COPY,     /* another host renews in this node's very name and instance */
    NOTE_STEP,     /* the arbiter's clock was stepped, or this host was paused for long */
};

struct update {
    unsigned actions; /* enum member_action, or'ed */
    enum member_note note;
    struct request request; /* .group is left for the caller */
};

/* A term that this node holds, or is ending. */
struct term {
    uint64_t number;    /* 0: there is none */
    struct cover cover; /* its lease */
    usec_t stop;        /* its S */
    usec_t deadline;
    usec_t renewed_at;    /* when the last renewal that was granted was sent; of an adopted term: at
                             most */
    struct nonces nonces; /* of its record */
    unsigned adopted_by;  /* adopting: nonces of others' that were read, and renewed by */
    bool release;         /* the record may still be ours: release it when all is dead */
};

/* What was seen of the record: (term, nonce) of this epoch, unchanged from `since` on, last read
 * `at`. */
struct observation {
    bool valid; /* it counts for a claim */
    struct record record;
    struct epoch epoch;
    usec_t since, at;
};

struct member {
    char owner[OWNER_MAX + 1];
    struct budget budget;
    bool stopping;

    enum member_state state;
    enum member_reason reason;
    usec_t since; /* of the state */

    struct term term;
    struct watch watch;    /* of a record in our name whose nonces we do not know */
    uint64_t left_term;    /* the last that ended here and was not released, as something may be
                              left */
    uint64_t over_term;    /* the highest term that ended here: never taken up again */
    uint64_t highest_term; /* that was seen here */

    struct observation seen;

    /* The request under way, and the last claim whose outcome is not known. */
    struct pause_watch pause;
    enum pause_verdict pause_verdict; /* of the last reply */
    bool in_flight;
    enum operation operation;
    usec_t sent_at;
    bool sent_fit; /* by a clock that could be trusted */
    struct nonce sent_nonce;
    bool claim_open;
    struct nonce claim_nonce;
    struct epoch claim_epoch;

    /* A release was announced: the next request may be a claim at once, without a poll before it.
     * Kept apart from what was observed, which no hint can disturb. */
    bool has_notice, sent_notice;
    struct release_notice notice;

    struct host_state host;
    usec_t started_at;  /* from when on a poll says whether StartUnit worked; 0: no answer yet */
    usec_t poll_at;     /* starting: poll the host at this time */
    usec_t end_sent_at; /* when the keeper was last asked to end */
    usec_t stray_since;
    bool stray_noted;
    unsigned namesake_changes;
    struct heal heal;

    usec_t due;        /* when this member wants to be part of a tick */
    bool hinted;       /* a hint came while a request was under way: ask once more */
    usec_t not_before; /* no claim before */
    unsigned failed_starts;
};

/* A move from one state to another. */
struct member_edge {
    enum member_state from, to;
    char when[64]; /* human-readable */
};

/* owner: NODE/INSTANCE_ID. Starts as a stopped standby: EVENT_RESUME makes it take part. */
void member_init(struct member *m, const char *owner);

/* What the daemon owes a member with each event, as far as a member can see it; member_step()
 * asserts it, and the proofs of tests/proof assume no more of the daemon. Times are times, and do
 * not run backwards; nothing is asked while an answer is due, and nothing is answered that was not
 * asked; a host state has the time of its question; a budget is one that budget_compute() made.
 * What a reply says is the arbiter's: reply_fits().
 *
 * What no member can see, tests/proof/README.md lists. */
bool member_event_fits(const struct member *m, const struct member_event *event);

/* The one function: judges the event, moves the member, says what to do. */
void member_step(struct member *m, const struct member_event *event, struct update *update);

/* Every move that there is. member_step() asserts that it makes no other; `sim --edges` prints them
 * as above, and tests/sim counts that each is made. */
#define MEMBER_EDGES 15
extern const struct member_edge member_edges[MEMBER_EDGES];

bool member_may_move(enum member_state from, enum member_state to);

/* Does a member in this state ignore the event, but for what is the same in all states? */
bool member_ignores(enum member_state state, enum member_event_type event);

/* When this member wants to be in a tick: USEC_INFINITY while it waits for an answer or has
 * nothing to ask. */
usec_t member_due(const struct member *m);

/* When it wants EVENT_CLOCK; USEC_INFINITY: never. */
usec_t member_wake(const struct member *m);

/* R of the request it would send now. */
usec_t member_limit(const struct member *m);

/* Stopped, nothing is left to give up, and PID 1 has said that nothing runs here. */
bool member_settled(const struct member *m);

/* Would be ready to start the group as far as this host goes. */
bool member_ready(const struct member *m, usec_t now);

/* A standby's observation: for how long the record has been unchanged by now, as far as this node
 * has seen, and how long that must be before it may be claimed. Both 0: there is nothing to wait
 * for in this way. */
void member_observation(const struct member *m, usec_t now, usec_t *ret_done, usec_t *ret_whole);

/* When a standby claims, if the record stays as it is and nothing on its host prevents it.
 * USEC_INFINITY: not foreseeable. */
usec_t member_claims_at(const struct member *m, usec_t now);

/* The later timeline that replaced the server of the record; 0: not known to be replaced.
 *
 * A term has the timeline it was begun on. One of a later timeline than this server's was seen
 * here, if only in what a keeper left, and this server knows nothing of that: a primary that was
 * replaced. What it would grant might be granted by its successor, too, so nothing is claimed. */
uint64_t member_replaced_by(const struct member *m);

/* A new term is at least this, by all that were seen here. */
uint64_t member_term_floor(const struct member *m);

/* The record is led in this node's very name, by a copy of this host: nothing is done about it here
 * before it was unchanged for its lease. */
bool member_copied(const struct member *m);

/* Leading, adopting included: this node's keeper is the one that counts. */
bool member_leads(const struct member *m);

const char *member_state_name(enum member_state s);

/* Human-readable, as the end of a sentence: "because …". */
const char *member_reason_text(enum member_reason r);

#endif
