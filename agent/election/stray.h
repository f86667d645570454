/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_STRAY_H
#define TENURE_ELECTION_STRAY_H

/* Units that run although this node holds no term, and a stop of the keeper has not ended: when
 * they are ended by name, as root. Pure as the member beside it, of which it takes what it needs;
 * it decides about units alone, and nothing about leadership. */

#include <stdbool.h>

#include "election/member.h"

/* Seen for this long after a term, when the fence has had its turn: nobody else ends them. */
#define STRAY_LASTS_USEC (1 * USEC_PER_SEC)
/* So long a stop of the keeper is given to end them. Then S is counted again by whatever ends them
 * by name, whose stop is the first that is sure to reach them. */
#define STRAY_STOP_USEC (250 * USEC_PER_MSEC)
/* A unit that stays up for this long after its term's end, and PID 1 is not about to stop it: no
 * stop has reached it. Nothing is gained by waiting then, and the budget has no time for it. */
#define STRAY_UNREACHED_USEC (250 * USEC_PER_MSEC)
/* Beyond S it is asked for again, twice as long later each time, up to this. Never given up: each
 * moment a stray runs, another node may lead. */
#define STRAY_AGAIN_USEC (2 * USEC_PER_SEC)
#define STRAY_AGAIN_MAX_USEC (60 * USEC_PER_SEC)

/* What ends them sees by itself that they are gone, and that a term begins, but between two of its
 * steps it may have PID 1 stop them once more. No claim before that is over. */
#define STRAY_SETTLE_USEC (1 * USEC_PER_SEC)

struct stray {
    usec_t since;   /* the first sight of them; 0: there are none */
    usec_t stopped; /* the keeper was stopped since then; 0: not yet */
    usec_t asked;   /* they were ended by name for the first time; 0: not yet */
    usec_t next;    /* and are again, not before */
    usec_t pause;
    usec_t gone; /* those of before, which were ended by name; 0: there were none */
};

enum stray_verdict {
    STRAY_NONE, /* nothing is to be done */
    STRAY_END,  /* by name, now */
    STRAY_GONE, /* what was ended so is gone */
};

/* After each poll of the host, with the member that has its answer. */
enum stray_verdict stray_judge(struct stray *s, const struct member *m, usec_t now);

/* PID 1 was asked to stop the keeper. */
void stray_stopped(struct stray *s, usec_t now);

/* Nobody could be asked to end them. */
void stray_refused(struct stray *s, usec_t now);

/* When a poll of the host is wanted for it; USEC_INFINITY: not for its sake. */
usec_t stray_due(const struct stray *s);

/* Does nothing stop units of the group by name any more, so that a term may begin? */
bool stray_settled(const struct stray *s, usec_t now);

/* Has all that is left been sent SIGKILL by name? K of the member's term counts, and S. */
bool stray_killed(const struct stray *s, const struct member *m, usec_t now);

#endif
