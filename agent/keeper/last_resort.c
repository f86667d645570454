/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/last_resort.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "keeper/rules.h"

#define LEFT_TEXT_MAX 160

void last_resort_init(struct last_resort_state *l, const struct keeper_config *config,
                      const char *group, usec_t kill)
{
    assert(l);
    assert(config);

    *l = (struct last_resort_state){
        .config = config, .group = group, .sysrq_fd = -1, .killed = USEC_INFINITY, .kill = kill};
    /* Kernels without it have reboot(2) still. */
    if (config->reboot_after > 0 && config->sysrq_trigger)
        l->sysrq_fd = open(config->sysrq_trigger, O_WRONLY | O_CLOEXEC);
}

/* "2 cgroups, a unit that has not stopped, no answer of PID 1" */
static const char *left_text(const struct left *left, char *ret, size_t size)
{
    char cgroups[32] = "cgroups that cannot be counted";

    if (left->children != UINT64_MAX)
        (void)snprintf(cgroups, sizeof cgroups, "%" PRIu64 " cgroups", left->children);
    (void)snprintf(ret, size, "%s%s%s", cgroups,
                   left->units_up ? ", a unit that has not stopped" : "",
                   left->silent ? ", and PID 1 does not answer" : "");
    return ret;
}

static void alert(struct last_resort_state *l, const struct left *left)
{
    char what[LEFT_TEXT_MAX], span[SPAN_FORMAT_MAX];

    if (l->alerted)
        return;
    l->alerted = true;
    left_text(left, what, sizeof what);
    /* The journal writes what is this urgent to its disk at once. */
    if (l->config->reboot_after > 0)
        log_line(LOG_ALERT,
                 "SIGKILL has not ended group \"%s\" yet (left: %s). Unless it is gone %s after "
                 "SIGKILL, this host restarts: fence = \"reboot\".",
                 l->group, what, format_span(l->kill, span, sizeof span));
    else
        log_line(LOG_ALERT,
                 "SIGKILL did not end group \"%s\" within %s (left: %s). Another host may lead it "
                 "before it is gone: end it, or restart this host.",
                 l->group, format_span(l->kill, span, sizeof span), what);
}

/* No sync(): it could wait for the very disk that all this hangs on. */
static void restart_host(struct last_resort_state *l, const struct left *left)
{
    char what[LEFT_TEXT_MAX];

    if (!l->reboot_logged)
        log_line(LOG_EMERG, "Restarting this host: SIGKILL did not end group \"%s\" (left: %s).",
                 l->group, left_text(left, what, sizeof what));
    /* Ends the machine before it returns. */
    if (l->sysrq_fd >= 0 && write(l->sysrq_fd, "b", 1) < 0 && !l->reboot_logged)
        log_warning("Cannot restart by sysrq: %m");
    int r = l->config->restart(true);
    if (r < 0 && !l->reboot_logged) {
        errno = -r;
        log_line(LOG_EMERG, "Cannot restart this host, trying again: %m");
    }
    l->reboot_logged = true;
}

void last_resort(struct last_resort_state *l, const struct left *left)
{
    assert(l);
    assert(left);

    usec_t now = clock_boottime();

    l->killed = usec_min(l->killed, now);
    switch (last_resort_due(l->killed, l->kill, l->config->reboot_after > 0, now)) {
    case LAST_RESORT_NONE:
        return;
    case LAST_RESORT_ALERT:
        alert(l, left);
        return;
    case LAST_RESORT_REBOOT:
        alert(l, left);
        restart_host(l, left);
        return;
    }
}
