/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"

#include <time.h>

void pause_for(usec_t span)
{
    struct timespec t = {.tv_sec = (time_t)(span / USEC_PER_SEC),
                         .tv_nsec = (long)(span % USEC_PER_SEC * 1000)};

    (void)nanosleep(&t, NULL);
}
