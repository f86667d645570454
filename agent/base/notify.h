/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_NOTIFY_H
#define TENURE_BASE_NOTIFY_H

/* The few lines of sd_notify(3) and sd_notify_barrier(3) that are needed here without ever waiting.
 * sd_notify() waits for PID 1 when that is busy and its queue is full; keepers of many groups fill
 * it in a moment. The keeper has no libsystemd either, because its memory is locked. An entry of
 * the journal is such a message, too, to another socket. */

#include <sys/socket.h>
#include <sys/un.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct notifier {
    int fd;
    struct sockaddr_un address;
    socklen_t length;
};

/* For an address as in $NOTIFY_SOCKET: a path or "@abstract". Returns 0; -ENOENT when it is NULL
 * or empty, -EINVAL for any other kind of address, or a negative errno. The caller closes fd. */
int notify_open(const char *socket, struct notifier *ret);

/* Ties the notifier to the receiver that is there now: poll(2) then says when its queue has room,
 * and a receiver that is gone is -ECONNREFUSED. Returns 0 or a negative errno. */
int notify_connect(struct notifier *n);

/* One message, with pass_fd attached when it is >= 0. Returns 0 when it is in the receiver's
 * queue; -EAGAIN when that is full; another negative errno. Whatever the error: nothing was sent,
 * try again. Never blocks. */
int notify_send(const struct notifier *n, const char *text, int pass_fd);

#endif
