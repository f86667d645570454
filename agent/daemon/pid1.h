/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_PID1_H
#define TENURE_DAEMON_PID1_H

/* What PID 1 is told of the agent itself, sd_notify(3): ready, reloading, stopping, its status
 * line, and that its loop runs. Nothing here waits for PID 1: an agent that did would lose its
 * groups while a daemon-reload takes long. What PID 1 has no room for is sent as soon as it has. */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/notify.h"
#include "base/usec.h"

#define PID1_TEXT_MAX 96
#define PID1_STATUS_MAX 512
/* More than a few can wait only while PID 1 stands still; then the oldest goes first. */
#define PID1_WAITING_MAX 8

struct pid1 {
    sd_event *event;
    const char *socket; /* as in $NOTIFY_SOCKET; NULL: nobody listens */
    sd_event_source *watchdog;
    usec_t watchdog_every;

    /* What is not told yet. */
    char waiting[PID1_WAITING_MAX][PID1_TEXT_MAX];
    size_t n_waiting;
    const char *status; /* borrowed; NULL: told */
    bool alive;

    struct notifier notifier; /* open while something waits for room */
    sd_event_source *room;
};

/* What pid1_close() may be given before pid1_open(). */
#define PID1_CLOSED ((struct pid1){.notifier.fd = -1})

/* socket: as in $NOTIFY_SOCKET, borrowed. When the unit has a watchdog it is fed from now on, from
 * the loop. Returns 0 or a negative errno; pid1_close() is due either way. */
int pid1_open(struct pid1 *p, sd_event *event, const char *socket);

/* One message of the format, of less than PID1_TEXT_MAX characters, after those before. */
__attribute__((format(printf, 2, 3))) void pid1_tell(struct pid1 *p, const char *format, ...);

/* The status line, of less than PID1_STATUS_MAX characters: the latest one alone counts. text is
 * borrowed until the next call or the end. */
void pid1_tell_status(struct pid1 *p, const char *text);

/* What still waits is dropped. */
void pid1_close(struct pid1 *p);

#endif
