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

#define LEFT_TEXT_MAX 256

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

void last_resort_set(struct last_resort_state *l, usec_t kill)
{
    assert(l);

    l->kill = kill;
}

static const char *stops_text(const struct keeper_look *look)
{
    if (look->stops == STOPS_LEFT)
        return ", what a unit's stop failed to take away, as the agent's journal says";
    if (look->stops == STOPS_OPEN && !look->up)
        return ", what no agent has said to be stopped well";
    return "";
}

/* "processes in 2 cgroups, a unit that has not stopped, and PID 1 does not answer" */
static const char *left_text(const struct keeper_look *look, char *ret, size_t size)
{
    char processes[64] = "no process";

    if (look->populated && look->children == UINT64_MAX)
        (void)snprintf(processes, sizeof processes, "cgroups that cannot be counted");
    else if (look->populated)
        (void)snprintf(processes, sizeof processes, "processes in %" PRIu64 " cgroups",
                       look->children);
    (void)snprintf(ret, size, "%s%s%s%s", processes,
                   look->up ? ", a unit that has not stopped" : "", stops_text(look),
                   look->answered ? "" : ", and PID 1 does not answer");
    return ret;
}

static void alert(struct last_resort_state *l, const struct keeper_look *look)
{
    char what[LEFT_TEXT_MAX], span[SPAN_FORMAT_MAX];

    if (l->alerted)
        return;
    l->alerted = true;
    left_text(look, what, sizeof what);
    /* The journal writes what is this urgent to its disk at once. */
    if (l->config->reboot_after > 0)
        log_line(LOG_ALERT,
                 "%s: SIGKILL has not ended the group yet (left: %s); unless it is gone %s after "
                 "SIGKILL, this host restarts, as fence = \"reboot\" wants",
                 l->group, what, format_span(l->kill, span, sizeof span));
    else
        log_line(LOG_ALERT,
                 "%s: SIGKILL did not end the group within %s (left: %s); another host may lead it "
                 "before it is gone: end it, or restart this host",
                 l->group, format_span(l->kill, span, sizeof span), what);
}

/* No sync(): it could wait for the very disk that all this hangs on. */
static void restart_host(struct last_resort_state *l, const struct keeper_look *look)
{
    char what[LEFT_TEXT_MAX];

    if (!l->reboot_logged)
        log_line(LOG_EMERG, "%s: restarting this host: SIGKILL did not end the group (left: %s)",
                 l->group, left_text(look, what, sizeof what));
    /* Ends the machine before it returns. */
    if (l->sysrq_fd >= 0 && write(l->sysrq_fd, "b", 1) < 0 && !l->reboot_logged)
        log_warning("%s: cannot restart by sysrq: %m", l->group);
    int r = l->config->restart(true);
    if (r < 0 && !l->reboot_logged) {
        errno = -r;
        log_line(LOG_EMERG, "%s: cannot restart this host, trying again: %m", l->group);
    }
    l->reboot_logged = true;
}

void last_resort(struct last_resort_state *l, const struct keeper_look *look)
{
    assert(l);
    assert(look);

    usec_t now = clock_boottime();

    l->killed = usec_min(l->killed, now);
    if (!look_left(look))
        return;
    switch (last_resort_due(l->killed, l->kill, l->config->reboot_after > 0, now)) {
    case LAST_RESORT_NONE:
        return;
    case LAST_RESORT_ALERT:
        alert(l, look);
        return;
    case LAST_RESORT_REBOOT:
        alert(l, look);
        restart_host(l, look);
        return;
    }
}
