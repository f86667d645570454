/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_CONTRACT_CONTRACT_H
#define TENURE_TESTS_CONTRACT_CONTRACT_H

/* What every arbiter shall do, tested through arbiter.h alone. */

#include <check.h>

#include "client.h"

/* The arbiter's test program says how one is made; it is called in forked tests. */
void contract_tests(Suite *suite, arbiter_maker make);

#endif
