/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_NOTIFY_QUEUE_H
#define TENURE_DAEMON_NOTIFY_QUEUE_H

/* What is reported to PID 1 of the agent itself, sd_notify(3): ready, reloading, stopping, its
 * status line, and that its loop runs. Nothing here waits for PID 1: an agent that did would lose
 * its groups while a daemon-reload takes long. What PID 1 has no room for is sent as soon as it
 * has. */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/notify.h"
#include "base/usec.h"

#define NOTIFY_TEXT_MAX 96
#define NOTIFY_STATUS_MAX 512
/* More than a few can wait only while PID 1 hangs; then the oldest is dropped first. */
#define NOTIFY_WAITING_MAX 8

struct notify_queue {
    sd_event *event;
    const char *socket; /* as in $NOTIFY_SOCKET; NULL: nobody listens */
    sd_event_source *watchdog;
    usec_t watchdog_every;

    /* What is not sent yet. */
    char waiting[NOTIFY_WAITING_MAX][NOTIFY_TEXT_MAX];
    size_t n_waiting;
    const char *status; /* borrowed; NULL: sent */
    bool alive;

    struct notifier notifier; /* open while something waits for room */
    sd_event_source *room;
};

/* What notify_queue_close() may be given before notify_queue_open(). */
#define NOTIFY_CLOSED ((struct notify_queue){.notifier.fd = -1})

/* socket: as in $NOTIFY_SOCKET, borrowed. When the unit has a watchdog it is fed from now on, from
 * the loop. Returns 0 or a negative errno; notify_queue_close() is due either way. */
int notify_queue_open(struct notify_queue *p, sd_event *event, const char *socket);

/* One message of the format, of less than NOTIFY_TEXT_MAX characters, after those before. */
__attribute__((format(printf, 2, 3))) void notify_queue_send(struct notify_queue *p,
                                                             const char *format, ...);

/* The status line, of less than NOTIFY_STATUS_MAX characters: the latest one alone counts. text is
 * borrowed until the next call or the end. */
void notify_queue_status(struct notify_queue *p, const char *text);

/* What still waits is dropped. */
void notify_queue_close(struct notify_queue *p);

#endif
