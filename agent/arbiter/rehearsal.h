/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_REHEARSAL_H
#define TENURE_ARBITER_REHEARSAL_H

/* What an agent will do in a session of the arbiter, done beforehand by the very statement it uses:
 * a group of a name that is not in use is observed, claimed, renewed and released, and then all of
 * it is rolled back. */

#include <libpq-fe.h>

#include "arbiter/attempt.h"

/* In a session that is logged in. Fills what struct attempt has from `writes` on, and stage, and
 * text, if a question is not answered. */
void rehearse(PGconn *pg, usec_t until, struct attempt *ret);

#endif
