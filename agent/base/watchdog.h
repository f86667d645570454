/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_WATCHDOG_H
#define TENURE_BASE_WATCHDOG_H

/* The hardware watchdog that resets this host when PID 1 hangs, by what PID 1 says of it. Pure. */

#include <stddef.h>

#include "base/usec.h"

#define WATCHDOG_DEVICE_SIZE 64

enum watchdog_state {
    WATCHDOG_UNKNOWN, /* PID 1 does not answer, or has not yet */
    WATCHDOG_OFF,     /* RuntimeWatchdogSec= is not set */
    WATCHDOG_DEAD,    /* it is set, but there is no device that PID 1 speaks to */
    WATCHDOG_ARMED,
};

struct watchdog {
    enum watchdog_state state;
    usec_t timeout;                    /* as configured; USEC_INFINITY: the device's own */
    usec_t device_timeout;             /* as the device has it; 0: not known */
    char device[WATCHDOG_DEVICE_SIZE]; /* "": not known */
};

/* From PID 1's RuntimeWatchdogUSec and WatchdogLastPingTimestampMonotonic, and CLOCK_MONOTONIC at
 * its answer. A recent ping proves that it is armed: systemd keeps the time of the last
 * one also when the device is long closed, so an old one proves nothing. PID 1 pings when
 * half of the time has passed. */
enum watchdog_state watchdog_judge(usec_t timeout, usec_t last_ping, usec_t now);

/* What the RuntimeWatchdogSec= of a group that requires the watchdog may be at most, in whole
 * seconds as devices have it: S + K. Then a host of which both keeper and PID 1 hang is reset
 * before others may lead, whenever that began. 0: less than a second is left, which no device has.
 */
usec_t watchdog_longest(usec_t stop, usec_t kill);

/* Why this watchdog does not do for a group that requires one, and what to do; "" it does. */
void watchdog_obstacle(const struct watchdog *w, usec_t longest, char *ret, size_t size);

#endif
