/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/notify.h"
#include "base/text.h"

#define FIELD_MAX (LOG_LINE_MAX + 32)
#define FIELDS_MAX 8

struct entry {
    char text[FIELDS_MAX * FIELD_MAX + 1];
    size_t length;
};

static void add(struct entry *e, const char *name, const char *value)
{
    char *field = e->text + e->length;

    assert(e->length + FIELD_MAX < sizeof e->text);
    int length = snprintf(field, FIELD_MAX, "%s=%s", name, value);
    if (length < 0)
        return;
    /* One message is one line of text, whatever a server or PID 1 put into it: what is not, the
     * journal shows as a "blob". */
    char *text = field + strlen(name) + 1;
    (void)text_clean(text, text, FIELD_MAX - strlen(name) - 1);
    length = (int)strlen(field);
    field[length] = '\n';
    e->length += (size_t)length + 1;
    e->text[e->length] = '\0';
}

/* The journal's socket is of the same kind as PID 1's. */
static int send_entry(const struct entry *e)
{
    struct notifier n;
    int r = notify_open(JOURNAL_SOCKET, &n);

    if (r < 0)
        return r;
    r = notify_send(&n, e->text, -1);
    (void)close(n.fd);
    return r;
}

void journal_open(void)
{
    if (getenv("JOURNAL_STREAM"))
        log_never_wait();
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

    e.length = 0;
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
