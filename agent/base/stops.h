/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_STOPS_H
#define TENURE_BASE_STOPS_H

/* What the agent lets keeper and fence know of how the units of a group stop: a file of its own for
 * each group, TENURE_INSTANCE_DIR/stops.GROUP, which it also finds again when it was restarted. Its
 * head is for all readers, the lines after it are the agent's. */

#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

#define STOPS_FILE_PREFIX "stops." /* and the group's plain name */
#define STOPS_HEAD_MAX 128

enum stops {
    STOPS_UNKNOWN, /* the agent has not said */
    STOPS_NONE,    /* all units have nothing but processes */
    STOPS_OPEN,    /* some keep what is no process, and it is not known to be gone */
    STOPS_GONE,    /* all of it is, by what PID 1 says of each stop */
    STOPS_LEFT,    /* a stop failed, was cut short, or proves nothing */
};

/* Writes the head. Returns its length without the NUL, or -ENOBUFS (STOPS_HEAD_MAX always does),
 * -EINVAL for STOPS_UNKNOWN, which is never written, and for a term out of bounds. */
int stops_head_format(uint64_t term, enum stops stops, char *ret, size_t size);

/* Of the beginning of such a file: strict. Returns the length of the head, or -EBADMSG; ret is then
 * left alone. The text needs no NUL. */
int stops_head_parse(const char *text, size_t length, uint64_t *ret_term, enum stops *ret);

/* "none", "open", … */
const char *stops_word(enum stops stops);

#endif
