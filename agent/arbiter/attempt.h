/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_ATTEMPT_H
#define TENURE_ARBITER_ATTEMPT_H

/* One attempt at one host of the arbiter, as an agent would make it, to find out beforehand
 * whether it would do. It blocks, for as long as it may, so it is for a process of its
 * own; and it leaves nothing behind in the database: what it writes is rolled back. */

#include <stdbool.h>
#include <stddef.h>

#include "arbiter/arbiter.h"
#include "arbiter/conninfo.h"
#include "arbiter/link.h"
#include "base/usec.h"

#define ATTEMPT_WHERE_MAX 256
#define ATTEMPT_NAME_MAX 64
#define ATTEMPT_GRANTS_MAX 512
/* One address, login included, as an agent waits; then the questions, each. */
#define ATTEMPT_ADDRESS_LIMIT_USEC (3 * USEC_PER_SEC)
#define ATTEMPT_ANSWER_LIMIT_USEC (2 * USEC_PER_SEC)

enum attempt_stage {
    ATTEMPT_NOTHING, /* the attempt was not over in time, or could not be made (error) */
    ATTEMPT_FOUND,   /* the name has addresses, and none of them answers */
    ATTEMPT_REACHED, /* a server answers, and refuses the login */
    ATTEMPT_IN,      /* logged in, and questions were not answered */
    ATTEMPT_OVER,    /* all that is below was asked */
};

/* Plain values: it goes from one process to another, which is why truths are no bool: not every
 * byte is one. Texts pass text_clean(); none has a secret. */
struct attempt {
    enum attempt_stage stage;
    int error; /* negative errno: this host failed, and nothing is known of the other; 0 otherwise
                */
    char where[ATTEMPT_WHERE_MAX];
    char text[ARBITER_TEXT_MAX]; /* why it went no further, with what to do where that is known */
    int version;                 /* as of libpq */
    char role[ATTEMPT_NAME_MAX], database[ATTEMPT_NAME_MAX];
    enum link link;
    unsigned char writes; /* neither a standby nor read-only; false: nothing below was asked */
    char unwilling[ARBITER_TEXT_MAX]; /* !writes: why */
    unsigned char synchronous;        /* it waits for a standby */
    unsigned char alone;              /* synchronous, and no standby is connected to it */
    unsigned char no_password;     /* it wants one, and neither conninfo nor a credential has it */
    unsigned char used_password;   /* logged in, and one was sent */
    unsigned char row_security;    /* in effect for this role */
    char schema[ARBITER_TEXT_MAX]; /* what is wrong with it; "": it is this version's */
    char grants[ATTEMPT_GRANTS_MAX]; /* that are missing, as GRANT names them, "; " between them */
    char trial[ARBITER_TEXT_MAX];    /* what went wrong when a group was led in it; "": nothing */
    struct epoch epoch;              /* of the answers to that */
};

/* Of c->hosts[host], over at `until` by CLOCK_BOOTTIME. Resolves the name, where there is one, and
 * tries its addresses until one is usable; else ret is of the one that got furthest. */
void attempt_make(const struct conninfo *c, size_t host, usec_t until, struct attempt *ret);

/* Makes of what came from another process what the rest of this header says: every text ends and
 * passes text_clean(), every value is one of those above. */
void attempt_settle(struct attempt *a);

/* Is a closer to being usable than b? */
bool attempt_is_better(const struct attempt *a, const struct attempt *b);

/* Would an agent lead groups with this host? */
bool attempt_usable(const struct attempt *a);

#endif
