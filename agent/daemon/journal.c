/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/names.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELD_MAX (LOG_LINE_MAX + 32)
#define FIELDS_MAX 8

struct entry {
    char text[FIELDS_MAX][FIELD_MAX];
    struct iovec field[FIELDS_MAX];
    size_t n;
};

static void add(struct entry *e, const char *name, const char *value)
{
    assert(e->n < FIELDS_MAX);

    int length = snprintf(e->text[e->n], FIELD_MAX, "%s=%s", name, value);
    if (length < 0)
        return;
    if (length >= FIELD_MAX)
        length = FIELD_MAX - 1; /* its '\0' makes room for the end of the line */
    /* One message is one line, whatever a server or PID 1 put into it. */
    for (int i = 0; i < length; i++)
        if ((unsigned char)e->text[e->n][i] < ' ')
            e->text[e->n][i] = ' ';
    e->text[e->n][length] = '\n';
    e->field[e->n] = (struct iovec){.iov_base = e->text[e->n], .iov_len = (size_t)length + 1};
    e->n++;
}

static int send_entry(struct entry *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    struct msghdr m = {
        .msg_name = &address,
        .msg_namelen = sizeof address,
        .msg_iov = e->field,
        .msg_iovlen = e->n,
    };
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return -errno;
    return 0;
}

void journal_open(void)
{
    int flags = getenv("JOURNAL_STREAM") ? fcntl(STDERR_FILENO, F_GETFL) : -1;

    if (flags >= 0)
        (void)fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
}

void journal_write(int priority, const struct journal_context *c, const char *format, ...)
{
    char message[LOG_LINE_MAX], number[24];
    struct entry e;
    va_list ap;

    assert(c && c->message_id);
    va_start(ap, format);
    int length = vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    if (length < 0)
        message[0] = '\0';
    if (!getenv("JOURNAL_STREAM")) {
        log_line(priority, "%s", message);
        return;
    }

    e.n = 0;
    add(&e, "MESSAGE", message);
    (void)snprintf(number, sizeof number, "%d", priority);
    add(&e, "PRIORITY", number);
    add(&e, "MESSAGE_ID", c->message_id);
    add(&e, "SYSLOG_IDENTIFIER", "tenured"); /* as sd_journal_sendv(3) does */
    if (c->node)
        add(&e, "TENURE_NODE", c->node);
    if (c->group)
        add(&e, "TENURE_GROUP", c->group);
    if (c->term > 0) {
        (void)snprintf(number, sizeof number, "%" PRIu64, c->term);
        add(&e, "TENURE_TERM", number);
    }
    if (c->reason && *c->reason)
        add(&e, "TENURE_REASON", c->reason);
    if (send_entry(&e) < 0)
        log_line(priority, "%s", message);
}
