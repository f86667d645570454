/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/log.h"
#include "base/names.h"

#define FIELD_MAX (LOG_LINE_MAX + 32)
#define FIELDS_MAX 7

struct entry {
    char text[FIELDS_MAX][FIELD_MAX];
    struct iovec field[FIELDS_MAX];
    int n;
};

static void add(struct entry *e, const char *name, const char *value)
{
    assert(e->n < FIELDS_MAX);

    int length = snprintf(e->text[e->n], FIELD_MAX, "%s=%s", name, value);
    if (length < 0)
        return;
    if (length >= FIELD_MAX)
        length = FIELD_MAX - 1;
    /* One message is one line, whatever a server or PID 1 put into it. */
    for (int i = 0; i < length; i++)
        if ((unsigned char)e->text[e->n][i] < ' ')
            e->text[e->n][i] = ' ';
    e->field[e->n] = (struct iovec){.iov_base = e->text[e->n], .iov_len = (size_t)length};
    e->n++;
}

void journal_write(int priority, const struct journal_context *c, const char *format, ...)
{
    char message[LOG_LINE_MAX], number[24];
    struct entry e = {.n = 0};
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

    add(&e, "MESSAGE", message);
    (void)snprintf(number, sizeof number, "%d", priority);
    add(&e, "PRIORITY", number);
    add(&e, "MESSAGE_ID", c->message_id);
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
    if (sd_journal_sendv(e.field, e.n) < 0)
        log_line(priority, "%s", message);
}
