/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_CONTRACT_CONTRACT_H
#define TENURE_TESTS_CONTRACT_CONTRACT_H

/* What every arbiter shall do, tested through arbiter.h alone. */

#include "client.h"

/* Makes an arbiter with this handler: each arbiter's test program defines it. Called in forked
 * tests. Returns what the arbiter's own function does. */
int contract_arbiter(sd_event *event, const char *owner, const struct arbiter_handler *handler,
                     void *userdata, struct arbiter **ret);

#endif
