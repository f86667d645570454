/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_STOP_H
#define TENURE_KEEPER_STOP_H

/* What tenure-stop@ runs: it ends strays. */

#include "keeper/keeper_config.h"

/* How long after S, when all is killed, what is left is killed again and PID 1 is asked. */
#define STOP_LIMIT_USEC (30 * USEC_PER_SEC)
/* When no copy of the keeper's drop-in is left that says S. */
#define STOP_UNKNOWN_USEC (5 * USEC_PER_SEC)
/* The group is led here. */
#define EXIT_LEADS 3

/* Ends whatever of the group runs here, by name, while this host does not lead it; logs; returns an
 * exit status: EXIT_SUCCESS when all is dead; EXIT_LEADS, without having done anything more, as
 * long as a keeper's term is not over, or one begins; EXIT_FAILURE when something is left after S
 * and stop_limit, or no units are known, or on SIGTERM. */
int stop_run(const struct keeper_config *config);

#endif
