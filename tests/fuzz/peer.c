/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "values.h"

#define CLIENT ":1.7"  /* the name that the agent is given */
#define TURNS_MAX 1000 /* an endless conversation is a finding */

static bool is_member(sd_bus_message *m, const char *member)
{
    return sd_bus_message_is_method_call(m, "org.freedesktop.DBus", member) > 0;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct peer *p = userdata;

    (void)error;
    if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0) {
        p->n_replies += sd_bus_message_is_signal(m, NULL, NULL) <= 0;
        p->n_errors += sd_bus_message_is_method_error(m, NULL) > 0;
        return 1;
    }
    if (is_member(m, "Hello"))
        return sd_bus_reply_method_return(m, "s", CLIENT);
    if (is_member(m, "AddMatch") || is_member(m, "RemoveMatch"))
        return sd_bus_reply_method_return(m, NULL);
    if (p->called)
        p->called(p->userdata, m);
    assert(p->n_calls < PEER_CALLS_MAX);
    p->calls[p->n_calls++] = sd_bus_message_ref(m);
    return 1;
}

void peer_open(struct peer *p, sd_event *event, int fd)
{
    int r;

    assert((r = sd_bus_new(&p->bus)) >= 0);
    assert((r = sd_bus_set_fd(p->bus, fd, fd)) >= 0);
    assert((r = sd_bus_set_server(p->bus, true, (sd_id128_t){.bytes = {1}})) >= 0);
    assert((r = sd_bus_start(p->bus)) >= 0);
    assert((r = sd_bus_add_filter(p->bus, NULL, on_message, p)) >= 0);
    assert((r = sd_bus_attach_event(p->bus, event, SD_EVENT_PRIORITY_NORMAL)) >= 0);
}

void peer_close(struct peer *p)
{
    for (size_t i = 0; i < p->n_calls; i++)
        sd_bus_message_unref(p->calls[i]);
    p->n_calls = 0;
    if (p->bus)
        sd_bus_close(p->bus);
    p->bus = sd_bus_unref(p->bus);
}

void peer_pump(sd_event *event)
{
    int turns = 0;

    while (sd_event_run(event, 0) > 0)
        assert(++turns < TURNS_MAX);
}

sd_bus_message *peer_take(struct peer *p)
{
    if (p->n_calls == 0)
        return NULL;
    sd_bus_message *call = p->calls[0];
    p->n_calls--;
    memmove(p->calls, p->calls + 1, p->n_calls * sizeof(sd_bus_message *));
    return call;
}

void peer_answer(sd_bus_message *call, const char *types, char **words)
{
    sd_bus_message *m = NULL;

    if (sd_bus_message_new_method_return(call, &m) >= 0 && values_append(m, types, words) >= 0)
        (void)sd_bus_send(NULL, m, NULL);
    sd_bus_message_unref(m);
    sd_bus_message_unref(call);
}

void peer_answer_error(sd_bus_message *call, char **words)
{
    const char *name = fuzz_word(words), *text = fuzz_word(words);
    sd_bus_message *m = NULL;

    if (sd_bus_message_new_method_error(call, &m, &SD_BUS_ERROR_MAKE_CONST(name, text)) >= 0)
        (void)sd_bus_send(NULL, m, NULL);
    sd_bus_message_unref(m);
    sd_bus_message_unref(call);
}

static void send(struct peer *p, sd_bus_message *m, const char *sender, char **words)
{
    const char *types = fuzz_word(words);
    uint64_t cookie; /* asked for: else sd-bus says that no answer is wanted */

    if (p->bus && (!*sender || sd_bus_message_set_sender(m, sender) >= 0) &&
        values_append(m, types, words) >= 0)
        (void)sd_bus_send(p->bus, m, &cookie);
    sd_bus_message_unref(m);
}

void peer_signal(struct peer *p, const char *sender, char **words)
{
    const char *path = fuzz_word(words), *interface = fuzz_word(words), *member = fuzz_word(words);
    sd_bus_message *m = NULL;

    if (p->bus && sd_bus_message_new_signal(p->bus, &m, path, interface, member) >= 0)
        send(p, m, sender, words);
}

void peer_call(struct peer *p, const char *sender, char **words)
{
    const char *path = fuzz_word(words), *interface = fuzz_word(words), *member = fuzz_word(words);
    sd_bus_message *m = NULL;

    if (p->bus && sd_bus_message_new_method_call(p->bus, &m, CLIENT, path, interface, member) >= 0)
        send(p, m, sender, words);
}
