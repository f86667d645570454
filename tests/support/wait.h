/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_WAIT_H
#define TENURE_TESTS_SUPPORT_WAIT_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/usec.h"

#define WAIT_LOOKS_EVERY_USEC USEC_PER_MSEC

/* Sleeps that long, or until a signal is caught. */
void pause_for(usec_t span);

/* Waits until the condition holds, for as long as the span at most. Whether it does. */
#define WAIT_FOR(condition, span)                                                                  \
    __extension__({                                                                                \
        usec_t wait_end = usec_add(clock_boottime(), (span));                                      \
        bool wait_over = false, wait_met;                                                          \
        while (!(wait_met = (condition)) && !wait_over) {                                          \
            pause_for(WAIT_LOOKS_EVERY_USEC);                                                      \
            wait_over = clock_boottime() >= wait_end;                                              \
        }                                                                                          \
        wait_met;                                                                                  \
    })

#endif
