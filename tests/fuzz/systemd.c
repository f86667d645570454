/* SPDX-License-Identifier: Apache-2.0 */
/* A conversation with PID 1: answers of any kind to what the agent asks, signals of any kind in
 * between, and orders of the agent. A line each:
 *
 *     ok STATE SUB          the oldest call is answered as a healthy systemd does
 *     answer TYPES VALUES   … as anything
 *     error NAME TEXT       … with an error
 *     drop                  … never
 *     signal PATH INTERFACE MEMBER TYPES VALUES
 *     look|start|end|stop|strays|remove GROUP, add GROUP UNIT…, limit|require GROUP USEC, job,
 *     heal, hangup */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fuzz.h"
#include "host/groups.h"
#include "host/host.h"
#include "host/pace.h"
#include "host/state.h"
#include "peer.h"
#include "values.h"

#define STOP (5 * USEC_PER_SEC)
#define GROUPS_MAX 4
#define UNITS_MAX (HOST_UNITS_MAX * (UNIT_NAME_LEN_MAX + 1))
#define ANSWER_MAX (4 * UNITS_MAX) /* of a keeper: all its units three times, and more */
#define SYSTEMD "org.freedesktop.systemd1"
#define KEEPER "tenure@%s.service"

static int listen_fd = -1;

struct talk {
    struct host *host;
    struct peer peer;
    sd_bus *bus;
    struct known {
        char name[GROUP_NAME_MAX + 1];
        char units[UNITS_MAX]; /* a blank between each */
        size_t n_units;
        bool starting, stopping, ending;
    } known[GROUPS_MAX];
    bool asked_job, healing;
    bool was_guarded, was_started; /* any group, at any time */
};

/* ---- what the host reports ---- */

static struct known *find(struct talk *t, const char *name)
{
    for (size_t i = 0; i < GROUPS_MAX; i++)
        if (*name && strcmp(t->known[i].name, name) == 0)
            return &t->known[i];
    return NULL;
}

static void polled(void *userdata, const char *group)
{
    struct talk *t = userdata;
    const struct group_view *v = host_view(t->host, group);

    assert(v && find(t, group));
    assert(v->state.guarded == !*v->problem && !(v->state.guarded && v->unguarded));
    assert(!v->lost || v->unguarded);
    t->was_guarded = t->was_guarded || v->state.guarded;
    assert(!(v->state.guarded && v->unarmed));
    assert(!v->state.guards.outside || v->lost);
    assert(v->state.guards.state != GUARDS_BARE || v->lost);
    assert((v->state.guards.state == GUARDS_UNKNOWN) == (v->state.guards.asked_at == 0));
    assert(v->state.guards.state != GUARDS_UNKNOWN ||
           (!v->lost && !v->state.guards.outside && !*v->lost_copy));
    for (size_t i = 0; i < v->n_units; i++)
        assert(!v->state.units_dead || v->units[i].dead || !v->state.asked_at);
    assert(!(v->state.keeper_queued && v->state.keeper == KEEPER_ACTIVE));
    assert(v->state.open == (v->ending && v->stops == STOPS_OPEN));
    assert(v->state.left == (v->stops == STOPS_LEFT));
    assert((v->state.keeper_term > 0) == (*v->keeper_owner != '\0'));
}

static void start_answered(void *userdata, const char *group, int error, const char *text)
{
    struct known *g = find(userdata, group);

    assert(g && g->starting && error <= 0 && (error == 0 || *text));
    g->starting = false;
}

static void stop_answered(void *userdata, const char *group, int error, const char *text)
{
    struct known *g = find(userdata, group);

    assert(g && g->stopping && error <= 0 && (error == 0 || *text));
    g->stopping = false;
}

static void strays_answered(void *userdata, const char *group, int error, const char *text)
{
    struct known *g = find(userdata, group);

    assert(g && g->ending && error <= 0 && (error == 0 || *text));
    g->ending = false;
}

static void healed(void *userdata, usec_t asked_at, int error, const char *text)
{
    struct talk *t = userdata;

    assert(t->healing && asked_at > 0 && asked_at <= clock_boottime());
    assert(error <= 0 && (error == 0 || *text));
    t->healing = false;
}

static void own_job(void *userdata, int error, const char *type)
{
    struct talk *t = userdata;

    assert(t->asked_job && error <= 0 && type);
    t->asked_job = false;
}

static void bus_changed(void *userdata, sd_bus *bus, const char *text)
{
    struct talk *t = userdata;

    assert(!bus == (*text != '\0'));
    t->bus = bus;
}

static const struct host_handler handler = {polled, start_answered, stop_answered, strays_answered,
                                            healed, own_job,        bus_changed};

/* ---- PID 1 ---- */

/* Guards that are not known are being asked for, or soon will be: a reload that comes at the wrong
 * moment blocks no group for minutes. */
static void nothing_is_forgotten(const struct talk *t)
{
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        const struct watched_group *g =
            *t->known[i].name ? group_find(t->host, t->known[i].name) : NULL;

        assert(!g || !t->host->connected || g->checked == t->host->generation ||
               g->check_in_flight ||
               g->check_at <= usec_add(clock_boottime(), POLL_RETRY_MAX_USEC));
    }
}

/* Nothing is started unless its guards were found in effect. */
static void called(void *userdata, sd_bus_message *m)
{
    struct talk *t = userdata;
    const char *unit;

    if (sd_bus_message_is_method_call(m, SYSTEMD ".Manager", "StartUnit") <= 0)
        return;
    assert(sd_bus_message_read(m, "s", &unit) >= 0);
    assert(sd_bus_message_rewind(m, true) >= 0);
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        char keeper[UNIT_NAME_LEN_MAX + 1];

        if (!*t->known[i].name || group_keeper_unit(t->known[i].name, keeper, sizeof keeper) < 0 ||
            strcmp(keeper, unit) != 0)
            continue;
        assert(t->known[i].starting);
        assert(host_view(t->host, t->known[i].name)->state.guarded);
        t->was_started = true;
    }
}

/* As words for values_append(): how many, and then each name and value. */
static void good_keeper(char *ret, size_t size, const struct known *g, const char *keeper,
                        const char *slice)
{
    _cleanup_free_ char *joined = strdup(g->units);

    assert(joined);
    for (char *p = joined; (p = strchr(p, ' '));)
        *p = '+';
    (void)snprintf(
        ret, size,
        "15 Id s %s LoadState s loaded FragmentPath s " TENURE_UNIT_DIR "/tenure@.service "
        "Type s notify Restart s no TimeoutStopUSec t 5050000 TimeoutAbortUSec t 5050000 "
        "WatchdogSignal i 9 Requires as 1 %s After as 2 basic.target %s "
        "ExecStart a(sasbttttuii) 1 " TENURE_KEEPER_PATH " 1 x 0 0 0 0 0 0 0 0 "
        "ExecStopPost a(sasbttttuii) 1 " TENURE_KEEPER_PATH " 0 0 0 0 0 0 0 0 0 "
        "PropagatesStopTo as %zu %s Before as %zu %s Environment as 1 TENURE_UNITS=%s",
        keeper, slice, slice, g->n_units, g->units, g->n_units, g->units, joined);
}

static void good_unit(char *ret, size_t size, const char *unit, const char *keeper,
                      const char *slice, const char *group)
{
    (void)snprintf(
        ret, size,
        "14 Id s %s LoadState s loaded Slice s %s KillMode s control-group SendSIGKILL b 1 "
        "FinalKillSignal i 9 TimeoutStopUSec t 5000000 TimeoutUSec t 5000000 "
        "TimeoutStopFailureMode s kill BindsTo as 1 %s After as 1 %s WantedBy as 1 %s "
        "EnvironmentFiles a(sb) 1 /run/tenure/groups/%s/env 1 "
        "Asserts a(sbbsi) 1 AssertPathExists 0 0 /run/tenure/groups/%s/live/state 0",
        unit, slice, keeper, keeper, keeper, group, group);
}

static bool has_unit(const struct known *g, const char *unit)
{
    size_t length = strlen(unit);

    for (const char *p = g->units; length > 0 && (p = strstr(p, unit)); p++)
        if ((p == g->units || p[-1] == ' ') && (!p[length] || p[length] == ' '))
            return true;
    return false;
}

static void answer_properties(const struct talk *t, sd_bus_message *call)
{
    char text[ANSWER_MAX], keeper[UNIT_NAME_LEN_MAX + 1], slice[UNIT_NAME_LEN_MAX + 1],
        *words = text;
    _cleanup_free_ char *unit = NULL;

    (void)sd_bus_path_decode(sd_bus_message_get_path(call), "/org/freedesktop/systemd1/unit",
                             &unit);
    assert(unit);
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        const char *group = t->known[i].name;

        if (group_keeper_unit(group, keeper, sizeof keeper) < 0 ||
            group_slice_unit(group, slice, sizeof slice) < 0)
            continue;
        if (strcmp(unit, keeper) == 0)
            good_keeper(text, sizeof text, &t->known[i], keeper, slice);
        else if (strcmp(unit, slice) == 0)
            (void)snprintf(text, sizeof text, "2 Id s %s LoadState s loaded", slice);
        else if (has_unit(&t->known[i], unit))
            good_unit(text, sizeof text, unit, keeper, slice, group);
        else
            continue;
        peer_answer(call, "a{sv}", &words);
        return;
    }
    sd_bus_message_unref(call); /* of a group that is gone */
}

/* A row for each name asked for, all in this state. */
static void answer_units(sd_bus_message *call, const char *state, const char *sub)
{
    sd_bus_message *m = NULL;
    const char *name;
    int r = 0;

    assert(sd_bus_message_enter_container(call, 'a', "s") >= 0);
    assert(sd_bus_message_new_method_return(call, &m) >= 0);
    assert(sd_bus_message_open_container(m, 'a', "(ssssssouso)") >= 0);
    /* Not everything is UTF-8. */
    while (r >= 0 && sd_bus_message_read(call, "s", &name) > 0)
        r = sd_bus_message_append(m, "(ssssssouso)", name, "", "loaded", state, sub, "", "/", 0u,
                                  "", "/");
    if (r >= 0 && sd_bus_message_close_container(m) >= 0)
        (void)sd_bus_send(NULL, m, NULL);
    sd_bus_message_unref(m);
    sd_bus_message_unref(call);
}

static void answer_property(sd_bus_message *call)
{
    static const struct {
        const char *name, *words;
    } known[] = {{"UnitsLoadTimestampMonotonic", "t 5"},
                 {"ServiceWatchdogs", "b 1"},
                 {"RuntimeWatchdogUSec", "t 6000000"},
                 {"WatchdogLastPingTimestampMonotonic", "t 1"},
                 {"Job", "(uo) 7 /job/7"},
                 {"JobType", "s restart"}};
    const char *name = "";
    char text[64] = "s", *words = text;

    (void)sd_bus_message_read(call, "ss", NULL, &name);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            (void)snprintf(text, sizeof text, "%s", known[i].words);
    peer_answer(call, "v", &words);
}

static void answer_well(const struct talk *t, sd_bus_message *call, char *line)
{
    const char *member = sd_bus_message_get_member(call), *state = fuzz_word(&line);
    const char *sub = fuzz_word(&line);
    char path[] = "/a/b", *words = path;

    if (strcmp(member, "ListUnitsByNames") == 0)
        answer_units(call, *state ? state : "inactive", sub);
    else if (strcmp(member, "GetAll") == 0)
        answer_properties(t, call);
    else if (strcmp(member, "Get") == 0)
        answer_property(call);
    else
        peer_answer(call, strcmp(member, "Subscribe") == 0 ? "" : "o", &words);
}

static bool answers(struct talk *t, const char *verb, char *line)
{
    bool ok = strcmp(verb, "ok") == 0, any = strcmp(verb, "answer") == 0;
    bool error = strcmp(verb, "error") == 0;

    if (!ok && !any && !error && strcmp(verb, "drop") != 0)
        return false;
    sd_bus_message *call = peer_take(&t->peer);
    if (!call)
        return true;
    if (ok)
        answer_well(t, call, line);
    else if (error)
        peer_answer_error(call, &line);
    else if (any) {
        const char *types = fuzz_word(&line);

        peer_answer(call, types, &line);
    } else
        sd_bus_message_unref(call);
    return true;
}

/* ---- the agent ---- */

static void know(struct known *g, const char *name, const char *const units[], size_t n)
{
    char *p = g->units;

    *g = (struct known){.n_units = n};
    strcpy(g->name, name);
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, "%s%s", i > 0 ? " " : "", units[i]);
}

static void add(struct talk *t, char *line)
{
    const char *name = fuzz_word(&line), *units[HOST_UNITS_MAX];
    struct known *g = NULL;
    size_t n = 0;

    for (size_t i = 0; i < GROUPS_MAX && !g; i++)
        if (!*t->known[i].name)
            g = &t->known[i];
    while (n < HOST_UNITS_MAX && *(units[n] = fuzz_word(&line)))
        n++;
    if (!g || strlen(name) > GROUP_NAME_MAX || host_add_group(t->host, name, units, n, STOP) < 0)
        return;
    know(g, name, units, n);
}

static void order(struct talk *t, const char *verb, char *line)
{
    const char *name = fuzz_word(&line);
    struct known *g = find(t, name);

    if (strcmp(verb, "look") == 0)
        host_poll(t->host, name);
    else if (strcmp(verb, "start") == 0 && host_start_keeper(t->host, name) == 0) {
        assert(g && !g->starting);
        g->starting = true;
    } else if (strcmp(verb, "stop") == 0 && host_stop_keeper(t->host, name) == 0) {
        assert(g && !g->stopping);
        g->stopping = true;
    } else if (strcmp(verb, "strays") == 0 && host_end_strays(t->host, name) == 0) {
        assert(g && !g->ending);
        g->ending = true;
    } else if (strcmp(verb, "end") == 0)
        host_end_term(t->host, name);
    else if (strcmp(verb, "limit") == 0)
        assert((host_set_stop(t->host, name, (usec_t)fuzz_number(&line)) == 0) == (g != NULL));
    else if (strcmp(verb, "require") == 0)
        assert((host_require_watchdog(t->host, name, (usec_t)fuzz_number(&line)) == 0) ==
               (g != NULL));
    else if (strcmp(verb, "remove") == 0) {
        assert((host_remove_group(t->host, name) == 0) == (g != NULL));
        if (g)
            *g = (struct known){0};
    } else if (strcmp(verb, "job") == 0 && host_ask_own_job(t->host) == 0)
        t->asked_job = true;
    else if (strcmp(verb, "heal") == 0)
        t->healing = host_heal(t->host) >= 0 || t->healing;
    else if (strcmp(verb, "hangup") == 0)
        peer_close(&t->peer);
}

static void say(struct talk *t, char *line)
{
    const char *verb = fuzz_word(&line);

    if (strcmp(verb, "signal") == 0)
        peer_signal(&t->peer, SYSTEMD, &line);
    else if (strcmp(verb, "owner") == 0) /* PID 1 left the bus or came back */
        peer_signal(&t->peer, "org.freedesktop.DBus", &line);
    else if (strcmp(verb, "add") == 0)
        add(t, line);
    else if (!answers(t, verb, line))
        order(t, verb, line);
}

/* healthy: does a group come to be guarded, and a keeper to be started? */
static void converse(char *text, bool healthy)
{
    struct talk t = {.peer = {.called = called}};
    char *line, first[] = "a-b w.service";
    sd_event *event = NULL;

    t.peer.userdata = &t;
    assert(sd_event_new(&event) >= 0);
    assert(host_new(event, &handler, &t, &t.host) == 0);
    peer_open(&t.peer, event, accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    add(&t, first);
    peer_pump(event);
    assert(t.bus);
    while ((line = fuzz_line(&text))) {
        say(&t, line);
        peer_pump(event);
        nothing_is_forgotten(&t);
    }
    assert(!healthy || (t.was_guarded && t.was_started));
    host_free(t.host);
    peer_close(&t.peer);
    sd_event_unref(event);
}

/* The agent takes a healthy systemd for one: otherwise no input gets far. */
static void try_good_health(void)
{
    /* Before it sends StartUnit the agent asks for the guards once more. */
    char text[] = "ok\nok\nok\nok\nok\nok\nok\nok\nok\nstart a-b\nok\nok\nok\nok\nok\n";

    converse(text, true);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char address[FUZZ_PATH_MAX + 16];
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    const char *path = fuzz_path("bus");

    (void)argc;
    (void)argv;
    (void)snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
    (void)snprintf(address, sizeof address, "unix:path=%s", path);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(listen_fd >= 0);
    assert(bind(listen_fd, (struct sockaddr *)&where, sizeof where) == 0);
    assert(listen(listen_fd, 4) == 0);
    assert(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1) == 0);
    try_good_health();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);

    converse(text, false);
    return 0;
}
