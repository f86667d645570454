/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_RATE_H
#define TENURE_DAEMON_RATE_H

/* How fast this host's clock runs. The budget bears a rate error of 1/1000; some time daemons slew
 * faster, and CLOCK_BOOTTIME follows them. */

#include <stdbool.h>
#include <sys/timex.h>

#define RATE_TEXT_MAX 256

/* Is the rate that the kernel was told to apply within what the budget bears, frequency and what is
 * left of an offset together? Else the reason, for people, is written into text. See adjtimex(2):
 * tick is microseconds per 1/100 s, freq is scaled by 2^16 per ppm, offset is in nanoseconds with
 * STA_NANO, else in microseconds. */
bool rate_within(const struct timex *t, char text[static RATE_TEXT_MAX]);

/* The same, of this host now. A clock whose rate cannot be read counts as unfit. */
bool rate_fit(char text[static RATE_TEXT_MAX]);

#endif
