/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_COVERAGE_H
#define TENURE_TESTS_COVERAGE_H

/* Included before everything else, by tests/coverage alone. gcc's counters are written when a
 * process ends by exit(). Many of ours end otherwise, and on purpose: by _exit() after a fork, and
 * by an assertion that a test provokes. What they ran counts too. */

#include <assert.h>
#include <unistd.h>

extern void __gcov_dump(void);

#define _exit(status)                                                                              \
    __extension__({                                                                                \
        int coverage_status = (status);                                                            \
        __gcov_dump();                                                                             \
        (_exit)(coverage_status);                                                                  \
    })
#define __assert_fail(...) (__gcov_dump(), (__assert_fail)(__VA_ARGS__))

#endif
