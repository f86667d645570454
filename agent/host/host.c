/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "host/connection.h"
#include "host/control.h"
#include "host/ended.h"
#include "host/groups.h"
#include "host/guard_check.h"
#include "host/heal.h"
#include "host/keeper_link.h"
#include "host/own_job.h"
#include "host/polkit.h"
#include "host/poll.h"
#include "host/proof.h"
#include "host/state.h"

#define TIMER_ACCURACY_USEC 1 /* 0 would mean 250 ms */
/* Behind everything else, so that one poll serves all that this turn of the loop brings. */
#define PUMP_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

/* ---- the pump ---- */

static usec_t next_due(const struct host *h)
{
    usec_t due = h->subscribed || h->subscribe_in_flight ? USEC_INFINITY : h->subscribe_at;

    due = usec_min(due, usec_min(heal_wake(h), polkit_due(h)));

    for (size_t i = 0; i < h->n_groups; i++) {
        const struct watched_group *g = h->groups[i];

        due = usec_min(due, g->poll_at);
        if (check_due(h, g))
            due = usec_min(due, usec_max(g->check_at, 1));
        if (proof_due(g))
            due = usec_min(due, usec_max(g->judge_at, 1));
        if (ended_due(g))
            due = usec_min(due, usec_max(g->ended_at, 1));
        if (g->start_wanted)
            due = usec_min(due, g->start_until);
    }
    return due;
}

static void arm_timer(struct host *h, usec_t now)
{
    usec_t due = next_due(h);

    /* What is due but found no free call is taken up again when one is answered. */
    if (due <= now && calls_free(h) < HOST_CALLS_MAX)
        due = usec_add(now, HOST_CALL_TIMEOUT_USEC);
    if (due == USEC_INFINITY) {
        (void)sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        return;
    }
    (void)sd_event_source_set_time(h->timer, usec_max(due, usec_add(now, USEC_PER_MSEC)));
    (void)sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

/* Starts and stops before polls, polls before checks. */
static int on_pump(sd_event_source *source, void *userdata)
{
    struct host *h = userdata;
    usec_t now = clock_boottime();

    (void)source;
    if (!h->connected)
        return 0; /* on_connected() begins again */
    if (!h->subscribed && !h->subscribe_in_flight && h->subscribe_at <= now)
        connection_subscribe(h);
    for (size_t i = 0; i < h->n_groups; i++)
        if (h->groups[i]->poll_at <= now)
            h->groups[i]->poll_wanted = true;
    own_job_send(h);
    control_send(h, now);
    heal_send(h, now);
    poll_ask(h, now);
    polkit_ask(h, now);
    proof_continue(h, now);
    ended_continue(h, now);
    check_continue(h, now);
    arm_timer(h, now);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)usec;
    return on_pump(source, userdata);
}

/* ---- the host ---- */

int host_new(struct sd_event *event, const struct host_handler *handler, void *userdata,
             struct host **ret)
{
    assert(event);
    assert(handler && handler->polled && handler->start_answered && handler->own_job);
    assert(ret);

    struct host *h = calloc(1, sizeof *h);
    int r;

    if (!h)
        return -ENOMEM;
    h->handler = handler;
    h->userdata = userdata;
    h->generation = 1;
    h->event = sd_event_ref(event);
    h->calls.over = pump_soon;
    if ((r = keeper_link_open(h)) < 0 ||
        (r = sd_event_add_defer(event, &h->pump, on_pump, h)) < 0 ||
        (r = sd_event_source_set_priority(h->pump, PUMP_PRIORITY)) < 0 ||
        (r = sd_event_source_set_enabled(h->pump, SD_EVENT_OFF)) < 0 ||
        (r = sd_event_add_time(event, &h->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_USEC, on_timer,
                               h)) < 0 ||
        (r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF)) < 0 ||
        (r = connection_begin(h)) < 0) {
        host_free(h);
        return r;
    }
    *ret = h;
    return 0;
}

struct host *host_free(struct host *h)
{
    if (!h)
        return NULL;
    calls_drop_all(h);
    connection_end(h);
    sd_event_source_disable_unref(h->pump);
    sd_event_source_disable_unref(h->timer);
    groups_free(h);
    keeper_link_close(h);
    sd_event_unref(h->event);
    free(h);
    return NULL;
}

/* ---- groups ---- */

int host_add_group(struct host *h, const char *group, const char *const *units, size_t n_units,
                   usec_t stop)
{
    assert(h);
    assert(group);
    assert(units);

    struct watched_group *g;

    if (group_find(h, group))
        return -EEXIST;
    if (n_units == 0)
        return -EINVAL;
    if (n_units > HOST_UNITS_MAX || h->n_groups >= HOST_GROUPS_MAX)
        return -E2BIG;
    int r = groups_add(h, group, units, n_units, stop, &g);
    if (r < 0)
        return r;
    proof_inherit(g);
    group_judge(h, g);
    group_poll_soon(h, g);
    return 0;
}

int host_set_stop(struct host *h, const char *group, usec_t stop)
{
    struct watched_group *g = group_find(h, group);

    if (!g)
        return -ENOENT;
    if (g->stop == stop)
        return 0;
    g->stop = stop;
    g->checked = 0;
    g->checking = 0; /* the one under way uses the old S */
    g->check_at = 0;
    group_judge(h, g);
    pump_soon(h);
    return 0;
}

int host_require_watchdog(struct host *h, const char *group, usec_t longest)
{
    struct watched_group *g = group_find(h, group);

    if (!g)
        return -ENOENT;
    if (g->watchdog == longest)
        return 0;
    if (!groups_require_watchdog(h))
        h->hardware.state = WATCHDOG_UNKNOWN; /* not asked for while no group required it */
    g->watchdog = longest;
    group_judge(h, g);
    group_poll_soon(h, g);
    return 0;
}

int host_remove_group(struct host *h, const char *group)
{
    assert(h);
    assert(group);

    struct watched_group *g = group_find(h, group);

    if (!g)
        return -ENOENT;
    calls_forget_group(h, g);
    poll_forget_group(h, g);
    groups_remove(h, g);
    return 0;
}

const struct group_view *host_view(const struct host *h, const char *group)
{
    const struct watched_group *g = group_find(h, group);

    return g ? &g->view : NULL;
}

void host_poll(struct host *h, const char *group)
{
    struct watched_group *g = group_find(h, group);

    if (g)
        group_poll_soon(h, g);
}
