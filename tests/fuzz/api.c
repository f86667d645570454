/* SPDX-License-Identifier: Apache-2.0 */
/* Anybody on the bus calls the agent's API. A line each:
 *
 *     call SENDER PATH INTERFACE MEMBER TYPES VALUES
 *     uid N                 the bus says who the oldest call in question is from
 *     answer TYPES VALUES   … or anything
 *     error NAME TEXT       … or an error
 *     done N | fail N       the daemon answers a call that it was handed
 *     gone NAME             the bus says that this client has left it
 *     changed|added|removed GROUP, manager, detach
 *     said BYTES            every text that is shown is this from now on
 *     look                  what tenurectl status asks
 *
 * Nothing may be handed on that was not root's, and every call is answered once. Of a caller of
 * ConfirmDead that has gone nothing waits any more, and the agent learns this of what it was given.
 * Two places are left to root while polkit asks others. Whatever the texts are, a look is answered.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/internal.h"
#include "base/cleanup.h"
#include "base/names.h"
#include "fuzz.h"
#include "peer.h"

struct talk {
    struct api *api;
    struct peer peer;
    struct api_call *calls[API_CALLS_MAX + API_CONFIRMS_MAX]; /* handed on */
    size_t n_calls;
    size_t n_gone; /* callers of them that left the bus */
    size_t n_root; /* how often the bus said 0 */
    size_t n_may;  /* and polkit yes */
    const char *said;
    bool detached;
};

static const char *const groups[] = {"a-b", "c", "d.e_f"};
#define N_GROUPS (sizeof groups / sizeof groups[0])

static void describe_manager(void *userdata, struct api_manager *ret)
{
    const struct talk *t = userdata;

    *ret = (struct api_manager){.version = "1",
                                .node = "n",
                                .instance_id = t->said,
                                .arbiter = t->said,
                                .status = t->said,
                                .connected = true};
}

static size_t n_groups(void *userdata)
{
    (void)userdata;
    return N_GROUPS;
}

static const char *group_name(void *userdata, size_t i)
{
    (void)userdata;
    assert(i < N_GROUPS);
    return groups[i];
}

static bool describe_group(void *userdata, const char *group, struct api_group *ret)
{
    static struct api_unit units[] = {{"w.service", "active", "running"}, {"w.timer", NULL, NULL}};
    const struct talk *t = userdata;

    assert(group_name_valid(group));
    units[1].active_state = t->said;
    units[1].sub_state = t->said;
    *ret = (struct api_group){.name = group,
                              .role = t->said,
                              .leader = t->said,
                              .reason = t->said,
                              .method = t->said,
                              .units = units,
                              .n_units = 2};
    for (size_t i = 0; i < N_GROUPS; i++)
        if (strcmp(group, groups[i]) == 0)
            return true;
    return false;
}

static void handed(struct talk *t, struct api_call *call, size_t *by)
{
    assert(*by > 0 && t->n_calls < sizeof t->calls / sizeof t->calls[0]);
    (*by)--;
    t->calls[t->n_calls++] = call;
}

static void reload(void *userdata, struct api_call *call)
{
    struct talk *t = userdata;

    handed(t, call, &t->n_root);
}

static void confirm_dead(void *userdata, struct api_call *call, const char *node, uid_t uid)
{
    struct talk *t = userdata;

    assert(node_name_valid(node));
    handed(t, call, uid == 0 ? &t->n_root : &t->n_may);
}

static void retire(void *userdata, struct api_call *call, const char *const *names, size_t n)
{
    struct talk *t = userdata;

    handed(t, call, &t->n_root);
    for (size_t i = 0; i < n; i++)
        assert(names[i]);
    assert(!names || !names[n]);
}

static void caller_gone(void *userdata, struct api_call *call)
{
    struct talk *t = userdata;
    size_t i = 0;

    while (i < t->n_calls && t->calls[i] != call)
        i++;
    assert(i < t->n_calls);
    t->n_gone++;
}

static void unavailable(void *userdata, const char *text)
{
    (void)userdata;
    assert(text && *text);
}

static const struct api_source source = {
    .describe_manager = describe_manager,
    .n_groups = n_groups,
    .group_name = group_name,
    .describe_group = describe_group,
    .reload = reload,
    .retire = retire,
    .confirm_dead = confirm_dead,
    .caller_gone = caller_gone,
    .unavailable = unavailable,
};

static void answer(struct talk *t, const char *verb, char *line)
{
    sd_bus_message *call = peer_take(&t->peer);
    char root[] = "0", *words = root;

    if (!call)
        return;
    bool who = strcmp(sd_bus_message_get_member(call), "GetConnectionUnixUser") == 0;
    bool may = strcmp(sd_bus_message_get_member(call), "CheckAuthorization") == 0;
    if (strcmp(verb, "error") == 0)
        peer_answer_error(call, &line);
    else if (strcmp(verb, "uid") == 0) {
        bool is_root = fuzz_number(&line) == 0;

        t->n_root += is_root && who;
        root[0] = is_root ? '0' : '1';
        peer_answer(call, "u", &words);
    } else {
        const char *types = fuzz_word(&line);
        long long first = line ? strtoll(line + strspn(line, " "), NULL, 0) : 0;

        /* Anything may happen to say that it was root; a yes is one in the first place alone. */
        t->n_root += *types == 'u' && who;
        t->n_may += may && strncmp(types, "(bba{ss})", strlen("(bba{ss})")) == 0 && first != 0;
        peer_answer(call, types, &line);
    }
}

static void finish(struct talk *t, const char *verb, size_t i)
{
    const struct api_confirmed confirmed[] = {{.group = groups[0], .term = 1, .note = t->said},
                                              {.group = t->said, .lease = UINT64_MAX}};
    struct api_call *call = i < t->n_calls ? t->calls[i] : NULL;

    if (!call)
        return;
    t->calls[i] = t->calls[--t->n_calls];
    if (strcmp(verb, "confirmed") == 0)
        api_call_confirmed(call, confirmed, 2);
    else if (strcmp(verb, "done") == 0)
        api_call_done(call);
    else
        api_call_failed(call, API_ERROR_BUSY, t->said ? t->said : "no");
}

static void ask(struct talk *t, sd_event *event, const char *question)
{
    size_t replies = t->peer.n_replies, errors = t->peer.n_errors;
    char *words = strdup(question), *rest = words;

    assert(words);
    peer_call(&t->peer, ":1.5", &rest);
    peer_pump(event);
    free(words);
    if (sd_bus_is_open(t->peer.bus) <= 0) /* an input may break the connection */
        return;
    assert(t->peer.n_replies == replies + 1 && t->peer.n_errors == errors);
}

static void look(struct talk *t, sd_event *event)
{
    if (t->detached)
        return;
    peer_pump(event);
    ask(t, event, "/org/tenure1 org.freedesktop.DBus.ObjectManager GetManagedObjects");
    ask(t, event, "/org/tenure1 org.freedesktop.DBus.Properties GetAll s org.tenure1.Manager");
}

/* Nobody keeps root out by letting polkit ask, and no user the others. */
static void check_waiting(const struct talk *t)
{
    size_t n = 0, n_calls = sizeof t->api->calls / sizeof t->api->calls[0];

    for (size_t i = 0; i < n_calls; i++) {
        const struct api_call *c = t->api->calls[i];

        if (!c || !c->at_polkit)
            continue;
        assert(c->uid != 0 && !c->handed_on);
        n++;
        for (size_t k = 0; k < i; k++)
            assert(!t->api->calls[k] || !t->api->calls[k]->at_polkit ||
                   t->api->calls[k]->uid != c->uid);
    }
    assert(n <= API_CONFIRMS_MAX - 2);
}

static size_t count_of(const struct talk *t, const char *sender, bool handed_on)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof t->api->calls / sizeof t->api->calls[0]; i++) {
        const struct api_call *c = t->api->calls[i];

        n += c && c->method == API_CONFIRM_DEAD && c->message && c->handed_on == handed_on &&
             (!handed_on || c->gone) && strcmp(sd_bus_message_get_sender(c->message), sender) == 0;
    }
    return n;
}

static void leave(struct talk *t, sd_event *event, const char *name)
{
    size_t n = count_of(t, name, true), before = t->n_gone;
    char text[256], *words = text;

    if (strlen(name) > 64 || !*name)
        return;
    (void)snprintf(text, sizeof text,
                   "/org/freedesktop/DBus org.freedesktop.DBus NameOwnerChanged sss %s %s", name,
                   name);
    peer_signal(&t->peer, "org.freedesktop.DBus", &words);
    peer_pump(event);
    if (t->detached || sd_bus_is_open(t->peer.bus) <= 0)
        return;
    assert(t->n_gone == before + n);
    assert(count_of(t, name, false) == 0);
}

static void say(struct talk *t, char *line)
{
    const char *verb = fuzz_word(&line);

    if (strcmp(verb, "call") == 0) {
        const char *sender = fuzz_word(&line);

        peer_call(&t->peer, strcmp(sender, "-") == 0 ? "" : sender, &line);
    } else if (strcmp(verb, "uid") == 0 || strcmp(verb, "answer") == 0 ||
               strcmp(verb, "error") == 0)
        answer(t, verb, line);
    else if (strcmp(verb, "done") == 0 || strcmp(verb, "fail") == 0 ||
             strcmp(verb, "confirmed") == 0)
        finish(t, verb, (size_t)fuzz_number(&line));
    else if (strcmp(verb, "changed") == 0)
        api_group_changed(t->api, fuzz_word(&line));
    else if (strcmp(verb, "added") == 0)
        api_group_added(t->api, fuzz_word(&line));
    else if (strcmp(verb, "removed") == 0)
        api_group_removed(t->api, fuzz_word(&line));
    else if (strcmp(verb, "manager") == 0)
        api_manager_changed(t->api);
    else if (strcmp(verb, "said") == 0)
        t->said = line;
    else if (strcmp(verb, "detach") == 0) {
        assert(api_attach(t->api, NULL) == 0);
        t->detached = true;
    }
}

static sd_bus *connect_to(struct talk *t, sd_event *event)
{
    sd_bus *bus = NULL;
    int fds[2];

    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    peer_open(&t->peer, event, fds[0]);
    assert(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[1], fds[1]) >= 0);
    assert(sd_bus_set_bus_client(bus, true) >= 0 && sd_bus_start(bus) >= 0);
    assert(sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL) >= 0);
    return bus;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    char *rest = text, *line;
    struct talk t = {0};
    sd_event *event = NULL;

    assert(sd_event_new(&event) >= 0);
    sd_bus *bus = connect_to(&t, event);
    assert(api_new(&source, &t, &t.api) == 0 && api_attach(t.api, bus) == 0);
    peer_pump(event);
    while ((line = fuzz_line(&rest))) {
        if (strcmp(line, "look") == 0)
            look(&t, event);
        else if (strncmp(line, "gone ", 5) == 0)
            leave(&t, event, line + 5);
        else
            say(&t, line);
        peer_pump(event);
        check_waiting(&t);
    }
    t.api = api_free(t.api);
    sd_bus_close(bus);
    sd_bus_unref(bus);
    peer_close(&t.peer);
    sd_event_unref(event);
    return 0;
}
