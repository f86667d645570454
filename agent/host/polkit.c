/* SPDX-License-Identifier: Apache-2.0 */
/* Does polkit answer? PID 1 asks it whether the agent may start a keeper. Whether it would say yes
 * cannot be asked in advance: only root may ask about details. */
#include "host/polkit.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/bus_names.h"
#include "host/call.h"
#include "host/groups.h"
#include "host/state.h"

#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERVAL_USEC (600 * USEC_PER_SEC)
#define POLKIT_AGAIN_USEC (2 * USEC_PER_SEC)
/* Once it is known that it does not: each question may make dbus-daemon write to the journal. */
#define POLKIT_SILENT_USEC (30 * USEC_PER_SEC)
/* A question starts it, which may take longer than the limit of a call; and PID 1 may be busy. */
#define POLKIT_TRIES 3
/* Not at once when its name is lost, or the bus was: before PID 1 has noticed that polkit is dead,
 * an order to start it does nothing, and dbus-daemon then waits for it for 25 s before it orders
 * again, for all clients. */
#define POLKIT_LOST_USEC (10 * USEC_PER_SEC)

static void answered(struct host *h)
{
    h->polkit_failures = 0;
    h->polkit_text[0] = '\0';
    h->polkit_at = usec_add(clock_boottime(), POLKIT_INTERVAL_USEC);
}

static void failed(struct host *h, const char *text)
{
    usec_t pause = POLKIT_AGAIN_USEC;

    if (h->polkit_failures + 1 < POLKIT_TRIES)
        h->polkit_failures++;
    else {
        (void)snprintf(h->polkit_text, sizeof h->polkit_text, "%s", text);
        pause = POLKIT_SILENT_USEC;
    }
    h->polkit_at = usec_add(clock_boottime(), pause);
}

static void bus_answered(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                         const char *text)
{
    (void)g;
    (void)reply;
    (void)text;
    h->polkit_in_flight = false;
    if (nobody_answered(error))
        h->polkit_at = usec_add(clock_boottime(), POLKIT_AGAIN_USEC);
    else
        failed(h, "it did not answer in time");
}

/* 0, or a negative errno: it was not sent. */
static int ping(struct host *h, const char *name, const char *path, call_done done)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r =
        sd_bus_message_new_method_call(h->bus, &m, name, path, "org.freedesktop.DBus.Peer", "Ping");

    return r < 0 ? r : call_send(h, m, NULL, done);
}

/* A bus that delivers nothing silences all of its clients: polkit is at fault only if PID 1
 * answers. */
static void polkit_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                            int error, const char *text)
{
    (void)g;
    (void)reply;
    if (nobody_answered(error) && ping(h, SYSTEMD_NAME, SYSTEMD_PATH, bus_answered) >= 0)
        return;
    h->polkit_in_flight = false;
    if (error == 0)
        answered(h);
    else if (nobody_answered(error))
        h->polkit_at = usec_add(clock_boottime(), POLKIT_AGAIN_USEC);
    else
        failed(h, text);
}

void polkit_ask(struct host *h, usec_t now)
{
    if (h->polkit_in_flight || h->polkit_at > now || geteuid() == 0) /* root needs no polkit */
        return;
    if (ping(h, POLKIT_NAME, POLKIT_PATH, polkit_answered) < 0)
        h->polkit_at = usec_add(now, POLKIT_AGAIN_USEC);
    else
        h->polkit_in_flight = true;
}

usec_t polkit_due(const struct host *h)
{
    return h->polkit_in_flight || geteuid() == 0 ? USEC_INFINITY : usec_max(h->polkit_at, 1);
}

void polkit_ask_again(struct host *h, bool is_there)
{
    h->polkit_at = is_there ? 0 : usec_add(clock_boottime(), POLKIT_LOST_USEC);
    pump_soon(h);
}

const char *host_polkit_problem(const struct host *h)
{
    return h->polkit_text;
}
