/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_TICKET_H
#define TENURE_BASE_TICKET_H

/* What agent and keeper say to each other: the ticket file that makes a keeper start, the state
 * file it keeps while it lives (same text, its own deadline), and the datagrams that extend or end
 * it. */

#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "base/usec.h"

#define TICKET_SIZE_MAX 1024

/* Of the text, and of the datagrams to a keeper with such a ticket. Version 1 is that of the first
 * agents: a term keeps the lease that it was claimed with. An agent and a keeper of two versions
 * meet when the agent is updated while it leads. */
#define TICKET_VERSION 2
#define TICKET_VERSION_FIXED 1

/* The right to run a group's units for one term. A term gets at most one. */
struct ticket {
    unsigned version; /* TICKET_VERSION_FIXED to TICKET_VERSION */
    char group[GROUP_NAME_MAX + 1];
    char node[NODE_NAME_MAX + 1];
    char owner[OWNER_MAX + 1]; /* NODE/INSTANCE_ID as in the arbiter's row */
    uint64_t term;             /* 1 to INT64_MAX: PostgreSQL's bigint */
    usec_t lease;              /* L */
    usec_t stop;               /* S */
    usec_t duration;           /* D */
    usec_t deadline;           /* absolute, CLOCK_BOOTTIME */
};

/* Writes the ticket as text (one "key=value" line each, in a fixed order; what may change comes
 * last and is of fixed width, so that the keeper can rewrite it in place). Returns the length
 * without the NUL, or -ENOBUFS (TICKET_SIZE_MAX always does), -EINVAL when a member is not valid.
 */
int ticket_format(const struct ticket *t, char *ret, size_t size);

/* The end of that text, from the first that may change on. Returns its length, which is the same
 * for all tickets of a version, or -ENOBUFS (TICKET_TAIL_MAX always does). */
#define TICKET_TAIL_MAX 160
int ticket_format_tail(const struct ticket *t, char *ret, size_t size);

/* Strict: exactly what ticket_format() writes. Returns 0, -EBADMSG for anything else; ret is then
 * left alone. The text needs no NUL. Whether the numbers make sense is not asked here. */
int ticket_parse(const char *text, size_t length, struct ticket *ret);

enum keeper_verb {
    KEEPER_EXTEND = 1,
    KEEPER_END = 2,
};

#define KEEPER_MESSAGE_MAGIC UINT64_C(0x74656e7572653032)       /* "tenure02" */
#define KEEPER_MESSAGE_MAGIC_FIXED UINT64_C(0x74656e7572653031) /* "tenure01" */

/* One datagram: both ends are on one host, so host byte order. */
struct keeper_message {
    uint64_t magic;
    uint32_t verb; /* enum keeper_verb */
    uint32_t reserved;
    uint64_t term;
    /* KEEPER_EXTEND; otherwise not read */
    uint64_t deadline; /* absolute, CLOCK_BOOTTIME, microseconds */
    /* Version 1 ends here. */
    uint64_t lease, duration; /* L and D from now on, microseconds */
};

/* As the ticket's version has it. */
static inline size_t keeper_message_size(unsigned version)
{
    return version == TICKET_VERSION_FIXED ? offsetof(struct keeper_message, lease)
                                           : sizeof(struct keeper_message);
}

static inline uint64_t keeper_message_magic(unsigned version)
{
    return version == TICKET_VERSION_FIXED ? KEEPER_MESSAGE_MAGIC_FIXED : KEEPER_MESSAGE_MAGIC;
}

#endif
