/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_HEAL_H
#define TENURE_ELECTION_HEAL_H

/* Guards of a group that got lost on this host: when to have PID 1 read them again, and when that
 * has failed often enough. Each unit's guards are there twice, and either copy suffices.
 *
 * - Only an answer of PID 1 says that something is lost. Not asked yet, asked before the last heal
 *   was over, or no answer, is none of that.
 * - A heal reloads PID 1, which costs it some tenths of a second, whatever it is good for. So all
 *   groups of a host share each, and there are pauses in between that grow, until all has been
 *   whole for a while.
 * - A group that is led with a unit unguarded does not wait for that long: two heals that did not
 *   help, and the term had better end while all is where keeper and PID 1 reach it. */

#include <stdbool.h>

#include "base/usec.h"

/* What passes by itself within this is not healed: an apply that has the agent still to tell. */
#define HEAL_GRACE_USEC (500 * USEC_PER_MSEC)
/* From the end of a heal to the next one: this, doubling, at most that. An
 * operator who undoes a guard by mistake has some seconds to notice. */
#define HEAL_PAUSE_MIN_USEC (4 * USEC_PER_SEC)
#define HEAL_PAUSE_MAX_USEC (600 * USEC_PER_SEC)
#define HEAL_DOUBLINGS_MAX 8u
/* At most this where a unit is unguarded and its group is led. */
#define HEAL_PAUSE_URGENT_USEC (10 * USEC_PER_SEC)
/* So long after the last heal all must have been whole for the pauses to begin again. */
#define HEAL_CALM_USEC (60 * USEC_PER_SEC)
/* So many heals in a row that left a unit unguarded end the term. */
#define HEALS_MAX 2u
/* An answer about the guards that is older says nothing about now. */
#define HEAL_ANSWER_AGE_USEC (10 * USEC_PER_SEC)

enum guards_state {
    GUARDS_UNKNOWN, /* PID 1 was not asked yet, or does not answer */
    GUARDS_WHOLE,   /* in effect, and both copies are there */
    GUARDS_PART,    /* every unit is guarded, but not by all that there should be */
    GUARDS_BARE,    /* a unit is not guarded */
};

/* What PID 1 said of the guards of one group. */
struct guards_seen {
    enum guards_state state;
    bool outside;    /* a unit runs, and not in the group's slice */
    usec_t asked_at; /* just before the first of its questions was sent; 0: never */
};

struct heal {
    usec_t since;       /* since when it is known that they are not whole; 0: not known to be so */
    bool asked;         /* for one that is not over */
    usec_t over_at;     /* when the last one was over; 0: there was none */
    bool open;          /* nobody has said since whether that one helped */
    unsigned failed;    /* in a row, after which a unit was unguarded */
    unsigned doublings; /* of the pause */
    usec_t not_before;
};

/* Is it known, and recent? */
bool heal_knows(const struct guards_seen *g, usec_t now);

/* A poll of this host was answered. */
void heal_poll(struct heal *h, const struct guards_seen *g, usec_t now);

/* A heal is over, this group's or another's. asked_at: just before PID 1 was asked for it.
 * answered: it was done or refused; otherwise nobody knows. */
void heal_over(struct heal *h, usec_t asked_at, bool answered, usec_t now);

/* When the next one may be asked for; USEC_INFINITY: there is nothing to heal, as far as is known,
 * or one is under way. urgent: a unit is unguarded, and its group is led. */
usec_t heal_due(const struct heal *h, bool urgent);

/* Have as many failed as end a term? */
bool heal_failed(const struct heal *h);

#endif
