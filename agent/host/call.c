/* SPDX-License-Identifier: Apache-2.0 */
#include "host/call.h"

#include <assert.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/bus_names.h"
#include "host/state.h"

size_t calls_free(const struct host *h)
{
    return HOST_CALLS_MAX - h->calls.n;
}

int call_new(struct host *h, const char *path, const char *interface, const char *member,
             sd_bus_message **ret)
{
    if (!h->connected)
        return -ENOTCONN;
    return sd_bus_message_new_method_call(h->bus, ret, SYSTEMD_NAME, path, interface, member);
}

/* Frees the place first: done may call again. */
static void finish(struct call *c, sd_bus_message *reply, int error, const char *text)
{
    struct call was = *c;

    *c = (struct call){0};
    was.host->calls.n--;
    was.done(was.host, was.group, reply, error, text);
    sd_bus_slot_unref(was.slot);
    was.host->calls.over(was.host);
}

static int answered(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
    struct call *c = userdata;
    const sd_bus_error *e = sd_bus_message_get_error(m);

    (void)unused;
    if (!e) {
        finish(c, m, 0, "");
        return 0;
    }
    int error = sd_bus_message_get_errno(m);
    char text[HOST_TEXT_MAX]; /* of PID 1, polkit or the bus, which may quote any sender */
    (void)text_clean(e->message && *e->message ? e->message : e->name, text, sizeof text);
    finish(c, NULL, error > 0 ? -error : -EIO, text);
    return 0;
}

int call_send(struct host *h, sd_bus_message *m, struct watched_group *g, call_done done)
{
    assert(m);
    assert(done);

    struct call *c = NULL;
    for (size_t i = 0; i < HOST_CALLS_MAX && !c; i++)
        if (!h->calls.of[i].slot)
            c = &h->calls.of[i];
    if (!c)
        return -EBUSY;

    int r = sd_bus_call_async(h->bus, &c->slot, m, answered, c, HOST_CALL_TIMEOUT_USEC);
    if (r < 0) {
        *c = (struct call){0};
        return r;
    }
    c->host = h;
    c->done = done;
    c->group = g;
    h->calls.n++;
    return 0;
}

int call_for_properties(struct host *h, const char *path, struct watched_group *g, call_done done)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r = call_new(h, path, PROPERTIES_INTERFACE, "GetAll", &m);

    /* An empty name stands for all interfaces of the object. */
    if (r >= 0)
        r = sd_bus_message_append(m, "s", "");
    return r < 0 ? r : call_send(h, m, g, done);
}

void calls_forget_group(struct host *h, const struct watched_group *g)
{
    for (size_t i = 0; i < HOST_CALLS_MAX; i++)
        if (h->calls.of[i].slot && h->calls.of[i].group == g)
            h->calls.of[i].group = NULL;
}

void calls_fail_all(struct host *h, int error, const char *text)
{
    for (size_t i = 0; i < HOST_CALLS_MAX; i++)
        if (h->calls.of[i].slot)
            finish(&h->calls.of[i], NULL, error, text);
}

void calls_drop_all(struct host *h)
{
    for (size_t i = 0; i < HOST_CALLS_MAX; i++)
        h->calls.of[i].slot = sd_bus_slot_unref(h->calls.of[i].slot);
}

bool nobody_answered(int error)
{
    return error == -ETIMEDOUT || error == -ECONNRESET || error == -EHOSTUNREACH || error == -ENXIO;
}
