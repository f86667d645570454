/* SPDX-License-Identifier: Apache-2.0 */
#include "host/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/bus_names.h"
#include "host/call.h"
#include "host/control.h"
#include "host/groups.h"
#include "host/heal.h"
#include "host/own_job.h"
#include "host/pace.h"
#include "host/polkit.h"
#include "host/signals.h"
#include "host/state.h"

#define CONNECT_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define CONNECT_BACKOFF_MIN_USEC (50 * USEC_PER_MSEC)
#define CONNECT_BACKOFF_MAX_USEC (2 * USEC_PER_SEC)

#define SYSTEM_BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"
#define LOCAL_NAME "org.freedesktop.DBus.Local"
#define LOCAL_PATH "/org/freedesktop/DBus/Local"
#define TIMER_ACCURACY_USEC 1 /* 0 would mean 250 ms */

static int on_connect_timer(sd_event_source *source, uint64_t usec, void *userdata);

static void arm_connect_timer(struct host *h, usec_t delay)
{
    /* Cannot fail: the source exists and the clock is valid. */
    (void)sd_event_source_set_time(h->connect_timer, usec_add(clock_boottime(), delay));
    (void)sd_event_source_set_enabled(h->connect_timer, SD_EVENT_ONESHOT);
}

static void retry_later(struct host *h)
{
    h->connect_backoff =
        backoff(h->connect_backoff, CONNECT_BACKOFF_MIN_USEC, CONNECT_BACKOFF_MAX_USEC);
    arm_connect_timer(h, h->connect_backoff);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    static const char text[] = "the connection to the system bus is lost";
    struct host *h = userdata;

    (void)m;
    (void)error;
    h->connected = false;
    h->subscribed = false;
    /* The bus object is in use up the stack: the timer frees it. */
    retry_later(h);
    groups_new_generation(h);
    calls_fail_all(h, -ECONNRESET, text);
    control_fail_waiting(h, -ECONNRESET, text);
    own_job_fail_waiting(h, -ECONNRESET);
    heal_fail(h, -ECONNRESET, text);
    if (h->handler->bus_changed)
        h->handler->bus_changed(h->userdata, NULL, text);
    return 0;
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct host *h = userdata;

    (void)m;
    (void)error;
    (void)sd_event_source_set_enabled(h->connect_timer, SD_EVENT_OFF);
    h->connected = true;
    h->connect_backoff = 0;
    h->subscribe_at = 0;
    polkit_ask_again(h, false);
    groups_new_generation(h);
    groups_poll_soon(h);
    if (h->handler->bus_changed)
        h->handler->bus_changed(h->userdata, h->bus, "");
    return 0;
}

/* sd_bus_start() and everything here only queue: the connection comes about in the event loop. */
static int begin(struct host *h)
{
    const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
    int r = sd_bus_new(&h->bus);

    if (r < 0)
        return r;
    if ((r = sd_bus_set_address(h->bus, address ? address : SYSTEM_BUS_ADDRESS)) < 0 ||
        (r = sd_bus_set_bus_client(h->bus, true)) < 0 ||
        (r = sd_bus_set_description(h->bus, "tenure")) < 0 ||
        (r = sd_bus_set_connected_signal(h->bus, true)) < 0 ||
        (r = sd_bus_set_method_call_timeout(h->bus, CONNECT_TIMEOUT_USEC)) < 0 ||
        (r = sd_bus_match_signal(h->bus, NULL, LOCAL_NAME, LOCAL_PATH, LOCAL_NAME, "Connected",
                                 on_connected, h)) < 0 ||
        (r = sd_bus_match_signal(h->bus, NULL, LOCAL_NAME, LOCAL_PATH, LOCAL_NAME, "Disconnected",
                                 on_disconnected, h)) < 0 ||
        (r = sd_bus_start(h->bus)) < 0 ||
        /* A match that cannot be installed ends the connection, and so is tried again. */
        (r = signals_install(h)) < 0 ||
        (r = sd_bus_attach_event(h->bus, h->event, SD_EVENT_PRIORITY_NORMAL)) < 0)
        return r;
    return 0;
}

static void drop_bus(struct host *h)
{
    if (!h->bus)
        return;
    /* No flush: that would wait. */
    sd_bus_close(h->bus);
    h->bus = sd_bus_unref(h->bus);
}

static void attempt(struct host *h)
{
    drop_bus(h);
    if (begin(h) < 0) {
        drop_bus(h);
        retry_later(h);
        return;
    }
    arm_connect_timer(h, CONNECT_TIMEOUT_USEC);
}

/* The next attempt is due, or the last one has failed: the same. */
static int on_connect_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    attempt(userdata);
    return 0;
}

int connection_begin(struct host *h)
{
    int r = sd_event_add_time(h->event, &h->connect_timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_USEC,
                              on_connect_timer, h);

    if (r < 0)
        return r;
    attempt(h);
    return 0;
}

void connection_end(struct host *h)
{
    h->connect_timer = sd_event_source_disable_unref(h->connect_timer);
    drop_bus(h);
}

static void subscribe_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                               int error, const char *text)
{
    (void)g;
    (void)reply;
    (void)text;
    h->subscribe_in_flight = false;
    /* What counts is that PID 1 sends signals; "already subscribed" arrives as an error. */
    if (error == 0 || error == -EINVAL || error == -EIO)
        h->subscribed = true;
    else
        h->subscribe_at = usec_add(clock_boottime(), POLL_RETRY_MAX_USEC);
}

void connection_subscribe(struct host *h)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    if (call_new(h, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", &m) < 0 ||
        call_send(h, m, NULL, subscribe_answered) < 0) {
        h->subscribe_at = usec_add(clock_boottime(), POLL_RETRY_MAX_USEC);
        return;
    }
    h->subscribe_in_flight = true;
}
