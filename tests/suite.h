/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUITE_H
#define TENURE_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs it, as verbose as $CK_VERBOSITY says, and frees it. Returns the exit status. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
