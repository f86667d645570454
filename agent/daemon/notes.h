/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_NOTES_H
#define TENURE_DAEMON_NOTES_H

/* What a member's steps mean, in the journal. */

#include "daemon/state.h"

/* term: before the step, which forgets one that is finished. */
void notes_write(struct group *g, enum member_note note, uint64_t term);

#endif
