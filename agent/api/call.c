/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/text.h"

static void call_free(struct api_call *call)
{
    struct api *a = call->api;

    for (size_t i = 0; i < sizeof a->calls / sizeof a->calls[0]; i++)
        if (a->calls[i] == call)
            a->calls[i] = NULL;
    sd_bus_slot_unref(call->caller);
    sd_bus_slot_unref(call->gone);
    sd_bus_message_unref(call->message);
    for (char **p = call->groups; p && *p; p++)
        free(*p);
    free(call->groups);
    free(call);
}

/* Methods that any user may call have places of their own, so that they cannot keep root's out. */
static struct api_call *call_new(struct api *a, sd_bus_message *m, enum api_method method)
{
    size_t first = method == API_CONFIRM_DEAD ? API_CALLS_MAX : 0;
    size_t n = method == API_CONFIRM_DEAD ? API_CONFIRMS_MAX : API_CALLS_MAX;

    for (size_t i = first; i < first + n; i++)
        if (!a->calls[i]) {
            struct api_call *call = calloc(1, sizeof *call);

            if (!call)
                return NULL;
            call->api = a;
            call->message = sd_bus_message_ref(m);
            call->method = method;
            a->calls[i] = call;
            return call;
        }
    return NULL;
}

void api_call_done(struct api_call *call)
{
    assert(call);

    /* A caller whose connection is gone gets no answer. */
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

static int append_confirmed(sd_bus_message *m, const struct api_confirmed *confirmed, size_t n)
{
    int r = sd_bus_message_open_container(m, 'a', "(sttts)");

    for (size_t i = 0; i < n && r >= 0; i++) {
        const struct api_confirmed *c = &confirmed[i];
        char group[API_TEXT_MAX], note[API_TEXT_MAX];

        r = sd_bus_message_append(m, "(sttts)", text_clean(c->group, group, sizeof group), c->term,
                                  c->lease, c->runs, text_clean(c->note, note, sizeof note));
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

void api_call_confirmed(struct api_call *call, const struct api_confirmed *confirmed, size_t n)
{
    sd_bus_message *m = NULL;

    assert(call);
    assert(confirmed || n == 0);

    if (call->message && sd_bus_message_new_method_return(call->message, &m) >= 0 &&
        append_confirmed(m, confirmed, n) >= 0)
        (void)sd_bus_send(call->api->bus, m, NULL);
    sd_bus_message_unref(m);
    call_free(call);
}

/* ---- who calls ---- */

static void hand_on(struct api_call *call)
{
    struct api *a = call->api;

    call->handed_on = true;
    switch (call->method) {
    case API_RELOAD:
        a->source->reload(a->userdata, call);
        return;
    case API_RETIRE:
        a->source->retire(a->userdata, call, (const char *const *)call->groups, call->n_groups);
        return;
    case API_CONFIRM_DEAD:
        a->source->confirm_dead(a->userdata, call, call->node, call->uid);
        return;
    }
}

/* ((bba{ss})): may it be done; might it be, if a user were asked for a password. */
static int on_authorized(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
    struct api_call *call = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(m);
    int may = 0, might = 0;

    (void)unused;
    call->caller = sd_bus_slot_unref(call->caller);
    call->at_polkit = false;
    if (error || sd_bus_message_enter_container(m, 'r', "bba{ss}") < 0 ||
        sd_bus_message_read(m, "bb", &may, &might) < 0)
        api_call_failed(call, SD_BUS_ERROR_ACCESS_DENIED,
                        "polkit did not say whether the caller may; root need not ask it");
    else if (may)
        hand_on(call);
    else if (might)
        api_call_failed(call, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                        "polkit wants a password for this");
    else
        api_call_failed(call, SD_BUS_ERROR_ACCESS_DENIED,
                        "polkit does not let the caller confirm a node dead");
    return 0;
}

static int append_question(sd_bus_message *m, const struct api_call *call, bool interactive)
{
    return sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                 sd_bus_message_get_sender(call->message), API_ACTION_CONFIRM_DEAD,
                                 1, "node", call->node, interactive ? 1u : 0u, "");
}

/* The sender is named as the bus knows it; polkit finds out by itself who that is. */
static int ask_polkit(struct api_call *call)
{
    bool interactive = sd_bus_message_get_allow_interactive_authorization(call->message) > 0;
    sd_bus_message *m = NULL;
    int r = sd_bus_message_new_method_call(
        call->api->bus, &m, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
        "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");

    if (r >= 0 && (r = append_question(m, call, interactive)) >= 0)
        r = sd_bus_call_async(call->api->bus, &call->caller, m, on_authorized, call,
                              interactive ? API_PASSWORD_TIMEOUT_USEC : API_POLKIT_TIMEOUT_USEC);
    sd_bus_message_unref(m);
    return r;
}

/* NULL: there is room for one more of this user. */
static const char *polkit_is_full(const struct api *a, uid_t uid)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof a->calls / sizeof a->calls[0]; i++) {
        const struct api_call *c = a->calls[i];

        if (!c || !c->at_polkit)
            continue;
        if (c->uid == uid)
            return "polkit has not answered yet about another call of this user";
        n++;
    }
    return n < API_POLKIT_MAX ? NULL : "polkit has not answered yet about too many others";
}

static void judge_caller(struct api_call *call)
{
    const char *full = polkit_is_full(call->api, call->uid);

    if (call->uid == 0)
        hand_on(call);
    else if (call->method != API_CONFIRM_DEAD)
        api_call_failed(call, SD_BUS_ERROR_ACCESS_DENIED, "only root may do this");
    else if (full)
        api_call_failed(call, SD_BUS_ERROR_LIMITS_EXCEEDED, full);
    else if (ask_polkit(call) < 0)
        api_call_failed(call, SD_BUS_ERROR_ACCESS_DENIED, "polkit cannot be asked");
    else
        call->at_polkit = true;
}

static int on_caller(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
    struct api_call *call = userdata;
    uint32_t uid;

    (void)unused;
    call->caller = sd_bus_slot_unref(call->caller);
    if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &uid) < 0) {
        api_call_failed(call, SD_BUS_ERROR_ACCESS_DENIED, "the bus did not say who is calling");
        return 0;
    }
    call->uid = uid;
    judge_caller(call);
    return 0;
}

static int on_watched(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
    (void)m;
    (void)userdata;
    (void)unused;
    return 0;
}

/* sss: a name, its owner, and the new one: none. */
static int on_gone(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
    struct api_call *call = userdata;
    const char *name, *before, *after;

    (void)unused;
    if (sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || *after ||
        strcmp(name, sd_bus_message_get_sender(call->message)) != 0)
        return 0;
    call->gone = sd_bus_slot_unref(call->gone);
    if (call->handed_on)
        call->api->source->caller_gone(call->api->userdata, call);
    else
        call_free(call);
    return 0;
}

/* Before the bus is asked who calls: it does not know a caller that left earlier. Without waiting;
 * if the bus does not take it, the call just goes on without its caller. */
static int watch_caller(struct api_call *call)
{
    static const char bus[] = "org.freedesktop.DBus";
    const char *sender = sd_bus_message_get_sender(call->message);
    char match[512];

    if (!sender)
        return -EACCES;
    int n = snprintf(match, sizeof match,
                     "type='signal',sender='%s',path='/org/freedesktop/DBus',interface='%s',"
                     "member='NameOwnerChanged',arg0='%s'",
                     bus, bus, sender);
    if (n < 0 || (size_t)n >= sizeof match)
        return -EINVAL;
    return sd_bus_add_match_async(call->api->bus, &call->gone, match, on_gone, on_watched, call);
}

/* The policy of the bus lets only root through, but for ConfirmDead; this holds also where that was
 * loosened. The bus attaches no credentials to messages, so it is asked, without waiting. */
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

static int read_node(sd_bus_message *m, struct api_call *call)
{
    const char *node;
    int r = sd_bus_message_read_basic(m, 's', &node);

    if (r < 0)
        return r;
    if (!node_name_valid(node))
        return -EINVAL;
    memcpy(call->node, node, strlen(node) + 1);
    return 0;
}

static int begin(struct api *a, sd_bus_message *m, enum api_method method)
{
    struct api_call *call = call_new(a, m, method);
    int r = 0;

    if (!call)
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                          "too many calls are waiting for an answer");
    if (method == API_RETIRE)
        r = sd_bus_message_read_strv(m, &call->groups);
    else if (method == API_CONFIRM_DEAD)
        r = read_node(m, call);
    while (call->groups && call->groups[call->n_groups])
        call->n_groups++;
    if (r >= 0 && method == API_CONFIRM_DEAD)
        r = watch_caller(call);
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
    return begin(api_of(userdata), m, API_RETIRE);
}

int api_on_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)error;
    return begin(api_of(userdata), m, API_RELOAD);
}

int api_on_confirm_dead(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)error;
    return begin(api_of(userdata), m, API_CONFIRM_DEAD);
}

/* ---- the end ---- */

void api_calls_disconnect(struct api *a)
{
    for (size_t i = 0; i < sizeof a->calls / sizeof a->calls[0]; i++) {
        struct api_call *call = a->calls[i];

        if (!call)
            continue;
        if (!call->handed_on) {
            call_free(call);
            continue;
        }
        call->gone = sd_bus_slot_unref(call->gone);
        call->message = sd_bus_message_unref(call->message);
    }
}

void api_calls_free(struct api *a)
{
    for (size_t i = 0; i < sizeof a->calls / sizeof a->calls[0]; i++)
        if (a->calls[i])
            call_free(a->calls[i]);
}
