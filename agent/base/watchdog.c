/* SPDX-License-Identifier: Apache-2.0 */
#include "base/watchdog.h"

#include <assert.h>
#include <stdio.h>

#include "base/parse.h"

#define SETTING "RuntimeWatchdogSec="
#define REQUIRED "the hardware watchdog, which the group requires, "
#define WRITE                                                                                      \
    "write " SETTING "%s into /etc/systemd/system.conf.d/watchdog.conf, section [Manager], and "   \
    "run systemctl daemon-reexec"

enum watchdog_state watchdog_judge(usec_t timeout, usec_t last_ping, usec_t now)
{
    /* 0: off. Infinity: the time that the device has by itself, if there is one. */
    if (timeout == 0)
        return WATCHDOG_OFF;
    /* Infinity is systemd's "never". */
    if (last_ping == 0 || last_ping == USEC_INFINITY)
        return WATCHDOG_DEAD;
    if (last_ping > now || (timeout != USEC_INFINITY && now - last_ping > timeout))
        return WATCHDOG_DEAD;
    return WATCHDOG_ARMED;
}

static usec_t whole_seconds(usec_t span)
{
    return span - span % USEC_PER_SEC;
}

usec_t watchdog_longest(usec_t stop, usec_t kill)
{
    return whole_seconds(usec_add(stop, kill));
}

void watchdog_obstacle(const struct watchdog *w, usec_t longest, char *ret, size_t size)
{
    assert(w);
    assert(ret);

    char is[SPAN_FORMAT_MAX], most[SPAN_FORMAT_MAX], device[SPAN_FORMAT_MAX];

    ret[0] = '\0';
    (void)format_span(longest, most, sizeof most);
    (void)format_span(w->timeout, is, sizeof is);
    (void)format_span(w->device_timeout, device, sizeof device);
    switch (w->state) {
    case WATCHDOG_UNKNOWN:
        (void)snprintf(ret, size,
                       "systemd has not said yet whether the hardware watchdog is armed");
        return;
    case WATCHDOG_OFF:
        (void)snprintf(ret, size, REQUIRED "is not armed: " WRITE, most);
        return;
    case WATCHDOG_DEAD:
        (void)snprintf(ret, size,
                       REQUIRED "is not armed: " SETTING " is %s, but systemd speaks to no device: "
                                "load its driver, and see THE HARDWARE WATCHDOG in tenured(8)",
                       is);
        return;
    case WATCHDOG_ARMED:
        break;
    }
    if (w->timeout == USEC_INFINITY)
        (void)snprintf(ret, size,
                       REQUIRED "has its device's own time, which may be too long: " WRITE, most);
    else if (w->timeout > longest)
        (void)snprintf(ret, size,
                       REQUIRED "resets the host only after %s, when another host may already "
                                "lead: " WRITE " (stop_timeout and K at most)",
                       is, most);
    else if (w->device_timeout > longest)
        (void)snprintf(ret, size,
                       REQUIRED "resets the host only after %s, when another host may already "
                                "lead: " SETTING
                                " is %s, but that is the next time its device has. Give the group "
                                "a longer stop_timeout, or the host another device",
                       device, is);
}
