/* SPDX-License-Identifier: Apache-2.0 */
#include "host/control.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/bus_names.h"
#include "host/groups.h"
#include "host/proof.h"
#include "host/state.h"

/* A start that is still waiting for its turn or for its check is not sent any more. */
#define START_WAIT_USEC (4 * HOST_CALL_TIMEOUT_USEC)

/* The start waits until its guards were checked again. */
static void want_start(struct host *h, struct watched_group *g)
{
    g->start_wanted = true;
    g->start_checked = false;
    g->recheck = true;
    g->check_at = 0;
    pump_soon(h);
}

static void start_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                           int error, const char *text)
{
    (void)reply;
    if (!g)
        return;
    g->start_in_flight = false;
    /* If the start was done after all, it is not done twice: the ticket is good for one. */
    if (nobody_answered(error) && h->connected && clock_boottime() < g->start_until) {
        want_start(h, g);
        return;
    }
    group_poll_soon(h, g);
    h->handler->start_answered(h->userdata, g->name, error, text);
}

static void stop_answered(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                          const char *text)
{
    (void)reply;
    if (!g)
        return;
    g->stop_in_flight = false;
    group_poll_soon(h, g);
    if (h->handler->stop_answered)
        h->handler->stop_answered(h->userdata, g->name, error, text);
}

static void strays_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                            int error, const char *text)
{
    (void)reply;
    if (!g)
        return;
    g->strays_in_flight = false;
    group_poll_soon(h, g);
    if (h->handler->strays_answered)
        h->handler->strays_answered(h->userdata, g->name, error, text);
}

static int send_job(struct host *h, struct watched_group *g, const char *unit, const char *member,
                    const char *mode, call_done done)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r = call_new(h, SYSTEMD_PATH, SYSTEMD_MANAGER, member, &m);

    if (r < 0 || (r = sd_bus_message_append(m, "ss", unit, mode)) < 0)
        return r;
    return call_send(h, m, g, done);
}

static void refuse_start(struct host *h, struct watched_group *g, int error, const char *text)
{
    char copy[HOST_PROBLEM_MAX];

    (void)snprintf(copy, sizeof copy, "%s", text);
    g->start_wanted = false;
    start_answered(h, g, NULL, error, copy);
}

/* The guards are checked first: PID 1 reads a unit that is not loaded from its files whenever it is
 * asked for, so what was true after the last daemon-reload need not be true now. */
static void send_start(struct host *h, struct watched_group *g, usec_t now)
{
    if (now >= g->start_until) {
        refuse_start(h, g, -EAGAIN,
                     g->view.state.guarded ? "systemd did not answer in time" : g->view.problem);
        return;
    }
    if (!g->start_checked || g->checked != h->generation)
        return; /* when the check is done */
    if (!g->view.state.guarded) {
        refuse_start(h, g, -EPERM, g->view.problem);
        return;
    }
    if (calls_free(h) == 0)
        return; /* when a call is answered */
    int r = proof_begin(g);
    if (r < 0) {
        char text[HOST_TEXT_MAX];

        (void)snprintf(text, sizeof text, "what its units begin as cannot be written to %s: %s",
                       TENURE_INSTANCE_DIR, strerror(-r));
        refuse_start(h, g, r, text);
        return;
    }
    r = send_job(h, g, g->keeper_unit, "StartUnit", "fail", start_answered);
    g->start_wanted = false;
    g->start_in_flight = true;
    if (r < 0)
        start_answered(h, g, NULL, r, "StartUnit could not be sent");
}

static void send_stop(struct host *h, struct watched_group *g)
{
    int r = send_job(h, g, g->keeper_unit, "StopUnit", "replace-irreversibly", stop_answered);

    if (r == -EBUSY)
        return;
    g->stop_wanted = false;
    g->stop_in_flight = true;
    if (r < 0)
        stop_answered(h, g, NULL, r, "StopUnit could not be sent");
}

static void send_end_strays(struct host *h, struct watched_group *g)
{
    int r = send_job(h, g, g->stop_unit, "StartUnit", "replace", strays_answered);

    if (r == -EBUSY)
        return;
    g->strays_wanted = false;
    g->strays_in_flight = true;
    if (r < 0)
        strays_answered(h, g, NULL, r, "StartUnit could not be sent");
}

int host_start_keeper(struct host *h, const char *group)
{
    struct watched_group *g = group_find(h, group);

    if (!g)
        return -ENOENT;
    if (!h->connected)
        return -ENOTCONN;
    if (g->start_wanted || g->start_in_flight)
        return -EALREADY;
    g->start_until = usec_add(clock_boottime(), START_WAIT_USEC);
    want_start(h, g);
    return 0;
}

int host_stop_keeper(struct host *h, const char *group)
{
    struct watched_group *g = group_find(h, group);

    if (!g)
        return -ENOENT;
    if (!h->connected)
        return -ENOTCONN;
    if (g->stop_wanted || g->stop_in_flight)
        return -EALREADY;
    g->stop_wanted = true;
    pump_soon(h);
    return 0;
}

int host_end_strays(struct host *h, const char *group)
{
    struct watched_group *g = group_find(h, group);

    if (!g)
        return -ENOENT;
    if (!h->connected)
        return -ENOTCONN;
    if (g->strays_wanted || g->strays_in_flight)
        return -EALREADY;
    g->strays_wanted = true;
    pump_soon(h);
    return 0;
}

void control_send(struct host *h, usec_t now)
{
    /* Handlers may add and remove groups: a shifted index costs one turn of the pump. */
    for (size_t i = 0; i < h->n_groups; i++) {
        if (h->groups[i]->stop_wanted)
            send_stop(h, h->groups[i]);
        if (i < h->n_groups && h->groups[i]->strays_wanted)
            send_end_strays(h, h->groups[i]);
        if (i < h->n_groups && h->groups[i]->start_wanted)
            send_start(h, h->groups[i], now);
    }
}

static struct watched_group *waiting(const struct host *h)
{
    for (size_t i = 0; i < h->n_groups; i++)
        if (h->groups[i]->start_wanted || h->groups[i]->stop_wanted || h->groups[i]->strays_wanted)
            return h->groups[i];
    return NULL;
}

void control_fail_waiting(struct host *h, int error, const char *text)
{
    struct watched_group *g;

    assert(!h->connected); /* or the handlers could keep this loop going */
    while ((g = waiting(h))) {
        if (g->start_wanted) {
            g->start_wanted = false;
            start_answered(h, g, NULL, error, text);
        } else if (g->stop_wanted) {
            g->stop_wanted = false;
            stop_answered(h, g, NULL, error, text);
        } else {
            g->strays_wanted = false;
            strays_answered(h, g, NULL, error, text);
        }
    }
}
