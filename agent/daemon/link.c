/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/link.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/group.h"
#include "daemon/journal.h"
#include "daemon/messages.h"

/* What the arbiter says passes text_clean() in the functions below, and is kept as that leaves it.
 */

static bool connection_lasts(const struct daemon *d)
{
    return d->connected && usec_sub(clock_boottime(), d->connected_at) >= CONNECTION_LASTS_USEC;
}

void link_answered(struct daemon *d)
{
    struct journal_context c = {.message_id = MESSAGE_ARBITER_CONNECTED, .node = d->config->node};
    bool lasts = connection_lasts(d);

    if (!d->connect_logged && (!d->flaps || lasts)) {
        d->connect_logged = true;
        journal_write(LOG_INFO, &c, "connected to the arbiter: %s", d->arbiter_text);
    }
    if (lasts) {
        d->lost_logged[0] = '\0';
        d->flaps = false;
    }
}

void link_on_connected(void *userdata, const char *text)
{
    struct daemon *d = userdata;

    d->connected = d->arbiter_tried = true;
    d->connected_at = clock_boottime();
    d->connect_logged = false;
    (void)text_clean(text, d->arbiter_text, sizeof d->arbiter_text);
    if (d->n_groups == 0)
        link_answered(d); /* there is nothing to ask it */
    for (size_t i = 0; i < d->n_groups; i++)
        group_event(d->groups[i], EVENT_CONNECTED);
    daemon_wake(d);
}

void link_on_lost(void *userdata, const char *said)
{
    struct daemon *d = userdata;
    char text[ARBITER_TEXT_MAX];
    struct journal_context c = {
        .message_id = MESSAGE_ARBITER_LOST, .node = d->config->node, .reason = text};

    (void)text_clean(said, text, sizeof text);
    /* Tried again and again, logged once. */
    if (strcmp(d->lost_logged, text) == 0 && !connection_lasts(d))
        d->flaps = d->flaps || d->connected;
    else {
        journal_write(LOG_WARNING, &c, "the arbiter cannot be reached: %s", text);
        (void)snprintf(d->lost_logged, sizeof d->lost_logged, "%s", text);
        d->flaps = false;
    }
    d->connected = false;
    d->arbiter_tried = true;
    (void)snprintf(d->arbiter_text, sizeof d->arbiter_text, "%s", text);
    daemon_wake(d);
}

/* Logged once for each holder. What cannot be read cannot be written either, by any node. */
void link_on_locked(void *userdata, const char *said)
{
    struct daemon *d = userdata;
    char holder[ARBITER_TEXT_MAX];
    struct journal_context c = {
        .message_id = MESSAGE_ARBITER_NOTICE, .node = d->config->node, .reason = holder};

    (void)text_clean(said ? said : "", holder, sizeof holder);
    if (holder[0] && strcmp(d->locked_logged, holder) != 0) {
        journal_write(LOG_WARNING, &c, "this node can claim and renew nothing: %s", holder);
        (void)snprintf(d->locked_logged, sizeof d->locked_logged, "%s", holder);
    }
    if (!holder[0] && d->connected) /* over; without a connection it is only not known */
        d->locked_logged[0] = '\0';
    (void)snprintf(d->locked, sizeof d->locked, "%s", holder);
    daemon_wake(d); /* the arbiter may be idle only now */
}

void link_on_hint(void *userdata, const char *group, const struct release_notice *notice)
{
    struct daemon *d = userdata;
    struct group *g = group ? daemon_group(d, group) : NULL;
    struct member_event event = {.type = EVENT_HINT, .notice = notice};

    if (g)
        (void)group_step(g, &event, NULL);
    for (size_t i = 0; i < d->n_groups && !group; i++)
        group_event(d->groups[i], EVENT_HINT);
}

void link_on_alarm(void *userdata, const char *said)
{
    struct daemon *d = userdata;
    char text[ARBITER_TEXT_MAX];
    struct journal_context c = {
        .message_id = MESSAGE_ARBITER_ALARM, .node = d->config->node, .reason = text};

    (void)text_clean(said, text, sizeof text);
    journal_write(LOG_ALERT, &c, "the arbiter: %s", text);
}

void link_on_notice(void *userdata, const char *said)
{
    struct daemon *d = userdata;
    char text[ARBITER_TEXT_MAX];
    struct journal_context c = {.message_id = MESSAGE_ARBITER_NOTICE, .node = d->config->node};

    (void)text_clean(said, text, sizeof text);
    journal_write(LOG_WARNING, &c, "arbiter: %s", text);
}
