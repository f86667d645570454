/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_PROCESS_H
#define TENURE_KEEPER_PROCESS_H

/* The keeper as a process. */

#include "keeper/keeper_config.h"

/* Keeps one term from ticket to end; logs; returns an exit status: EXIT_SUCCESS when the term has
 * ended as it should, EXIT_FAILURE when it did not begin or the fence has to finish it. */
int keeper_run(const struct keeper_config *config);

#endif
