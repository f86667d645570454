/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/text.h"
#include "bus/internal.h"

static void call_free(struct api_call *call)
{
    for (size_t i = 0; i < API_CALLS_MAX; i++)
        if (call->api->calls[i] == call)
            call->api->calls[i] = NULL;
    sd_bus_slot_unref(call->caller);
    sd_bus_message_unref(call->message);
    for (char **p = call->groups; p && *p; p++)
        free(*p);
    free(call->groups);
    free(call);
}

static struct api_call *call_new(struct api *a, sd_bus_message *m, bool is_retire)
{
    for (size_t i = 0; i < API_CALLS_MAX; i++)
        if (!a->calls[i]) {
            struct api_call *call = calloc(1, sizeof *call);

            if (!call)
                return NULL;
            call->api = a;
            call->message = sd_bus_message_ref(m);
            call->is_retire = is_retire;
            a->calls[i] = call;
            return call;
        }
    return NULL;
}

void api_call_done(struct api_call *call)
{
    assert(call);

    /* Who called and does not want to hear it any more cannot be told. */
    if (call->message)
        (void)sd_bus_reply_method_return(call->message, NULL);
    call_free(call);
}

void api_call_failed(struct api_call *call, const char *error_name, const char *text)
{
    assert(call);
    assert(error_name);
    assert(text);

    char clean[API_TEXT_MAX];

    if (call->message)
        (void)sd_bus_reply_method_errorf(call->message, error_name, "%s",
                                         text_clean(text, clean, sizeof clean));
    call_free(call);
}

/* ---- who calls ---- */

static void hand_on(struct api_call *call)
{
    struct api *a = call->api;

    call->handed_on = true;
    if (call->is_retire)
        a->source->retire(a->userdata, call, (const char *const *)call->groups, call->n_groups);
    else
        a->source->reload(a->userdata, call);
}

static int on_caller(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
    struct api_call *call = userdata;
    uint32_t uid;

    (void)unused;
    call->caller = sd_bus_slot_unref(call->caller);
    if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &uid) < 0)
        api_call_failed(call, SD_BUS_ERROR_ACCESS_DENIED, "the bus did not say who is calling");
    else if (uid != 0)
        api_call_failed(call, SD_BUS_ERROR_ACCESS_DENIED, "only root may do this");
    else
        hand_on(call);
    return 0;
}

/* The policy of the bus lets only root through; this holds also where somebody loosened it. The bus
 * attaches no credentials to messages, so it is asked, without waiting. */
static int ask_caller(struct api_call *call)
{
    const char *sender = sd_bus_message_get_sender(call->message);
    sd_bus_message *m = NULL;
    int r;

    if (!sender)
        return -EACCES;
    r = sd_bus_message_new_method_call(call->api->bus, &m, "org.freedesktop.DBus",
                                       "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                       "GetConnectionUnixUser");
    if (r >= 0 && (r = sd_bus_message_append(m, "s", sender)) >= 0)
        r = sd_bus_call_async(call->api->bus, &call->caller, m, on_caller, call,
                              API_CALLER_TIMEOUT_USEC);
    sd_bus_message_unref(m);
    return r;
}

static int begin(struct api *a, sd_bus_message *m, bool is_retire)
{
    struct api_call *call = call_new(a, m, is_retire);
    int r = 0;

    if (!call)
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                          "too many calls are waiting for an answer");
    if (is_retire)
        r = sd_bus_message_read_strv(m, &call->groups);
    while (call->groups && call->groups[call->n_groups])
        call->n_groups++;
    if (r >= 0)
        r = ask_caller(call);
    if (r < 0) {
        call_free(call);
        return r; /* sd-bus answers with it */
    }
    return 1;
}

/* What the finder found is the description, which lies in the API. */
static struct api *api_of(void *found)
{
    return (struct api *)(void *)((char *)found - offsetof(struct api, manager));
}

int api_on_retire(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)error;
    return begin(api_of(userdata), m, true);
}

int api_on_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)error;
    return begin(api_of(userdata), m, false);
}

/* ---- the end ---- */

void api_calls_disconnect(struct api *a)
{
    for (size_t i = 0; i < API_CALLS_MAX; i++) {
        struct api_call *call = a->calls[i];

        if (!call)
            continue;
        if (!call->handed_on) {
            call_free(call);
            continue;
        }
        call->message = sd_bus_message_unref(call->message);
    }
}

void api_calls_free(struct api *a)
{
    for (size_t i = 0; i < API_CALLS_MAX; i++)
        if (a->calls[i])
            call_free(a->calls[i]);
}
