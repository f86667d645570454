/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/usec.h"

#define WATCHDOG_SHARE 3 /* so often within WatchdogSec=: one may be lost */

static void leave(struct notify_queue *p)
{
    p->room = sd_event_source_disable_unref(p->room);
    if (p->notifier.fd >= 0)
        (void)close(p->notifier.fd);
    p->notifier.fd = -1;
}

static void forget(struct notify_queue *p)
{
    p->n_waiting = 0;
    p->status = NULL;
    p->alive = false;
}

static void drop_first(struct notify_queue *p)
{
    memmove(p->waiting[0], p->waiting[1], sizeof p->waiting[0] * --p->n_waiting);
}

/* 0: all of it is sent. */
static int send_all(struct notify_queue *p)
{
    char line[sizeof "STATUS=" + NOTIFY_STATUS_MAX];
    int r;

    for (; p->n_waiting > 0; drop_first(p))
        if ((r = notify_send(&p->notifier, p->waiting[0], -1)) < 0)
            return r;
    if (p->alive && (r = notify_send(&p->notifier, "WATCHDOG=1", -1)) < 0)
        return r;
    p->alive = false;
    if (p->status) {
        (void)snprintf(line, sizeof line, "STATUS=%s", p->status);
        if ((r = notify_send(&p->notifier, line, -1)) < 0)
            return r;
    }
    p->status = NULL;
    return 0;
}

static int on_room(sd_event_source *source, int fd, uint32_t events, void *userdata);

static int wait_for_room(struct notify_queue *p)
{
    return sd_event_add_io(p->event, &p->room, p->notifier.fd, EPOLLOUT, on_room, p);
}

static int try_to_send(struct notify_queue *p)
{
    int r = notify_open(p->socket, &p->notifier);

    if (r < 0 || (r = notify_connect(&p->notifier)) < 0 || (r = send_all(p)) != -EAGAIN)
        return r;
    return wait_for_room(p);
}

/* The receiver is looked up again each time: PID 1 may have replaced itself. As with sd_notify(3),
 * what it does not take for another reason than a full queue is lost. */
static void flush(struct notify_queue *p)
{
    if (p->room)
        return; /* what waits goes first */
    if (try_to_send(p) < 0)
        forget(p);
    if (!p->room)
        leave(p);
}

static int on_room(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct notify_queue *p = userdata;

    (void)source;
    (void)fd;
    (void)events;
    int r = send_all(p);
    if (r == -EAGAIN)
        return 0;
    leave(p);
    if (r < 0)
        flush(p); /* that receiver is gone: another may be there */
    return 0;
}

void notify_queue_send(struct notify_queue *p, const char *format, ...)
{
    va_list ap;

    assert(p);
    if (p->n_waiting == NOTIFY_WAITING_MAX)
        drop_first(p);
    va_start(ap, format);
    int n = vsnprintf(p->waiting[p->n_waiting], NOTIFY_TEXT_MAX, format, ap);
    va_end(ap);
    assert(n > 0 && n < NOTIFY_TEXT_MAX);
    p->n_waiting++;
    flush(p);
}

void notify_queue_status(struct notify_queue *p, const char *text)
{
    assert(p);
    assert(text);
    p->status = text;
    flush(p);
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct notify_queue *p = userdata;

    (void)usec;
    p->alive = true;
    flush(p);
    (void)sd_event_source_set_time(source, usec_add(clock_boottime(), p->watchdog_every));
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int notify_queue_open(struct notify_queue *p, sd_event *event, const char *socket)
{
    uint64_t interval;

    assert(p);
    assert(event);
    *p = (struct notify_queue){.event = event, .socket = socket, .notifier.fd = -1};
    int r = sd_watchdog_enabled(false, &interval);
    if (r <= 0)
        return r;
    p->watchdog_every = interval / WATCHDOG_SHARE;
    return sd_event_add_time(event, &p->watchdog, CLOCK_BOOTTIME, 0, 0, on_watchdog, p);
}

void notify_queue_close(struct notify_queue *p)
{
    assert(p);
    p->watchdog = sd_event_source_disable_unref(p->watchdog);
    leave(p);
}
