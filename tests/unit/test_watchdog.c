/* SPDX-License-Identifier: Apache-2.0 */
/* The hardware watchdog: which of PID 1's properties prove that it is armed, and what the agent
 * makes of a group that requires it. PID 1 is a stand-in here, as hosts of the lab have no
 * watchdog: there they show that such a group is refused. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/watchdog.h"
#include "fuzz/peer.h"
#include "host/device.h"
#include "host/host.h"
#include "support/folder.h"
#include "support/test.h"
#include "support/text.h"

#define S (5 * USEC_PER_SEC)
#define K (1 * USEC_PER_SEC)
#define LONGEST (6 * USEC_PER_SEC)
#define SEC(n) ((n)*USEC_PER_SEC)
#define NEVER USEC_INFINITY

/* ---- what proves it ---- */

TEST_CASE(judged);

static const struct {
    usec_t timeout, last_ping, now;
    enum watchdog_state state;
} judged[] = {
    {0, NEVER, SEC(100), WATCHDOG_OFF},
    {0, SEC(99), SEC(100), WATCHDOG_OFF}, /* the time of the last ping is kept */
    {SEC(6), NEVER, SEC(100), WATCHDOG_DEAD},
    {SEC(6), 0, SEC(100), WATCHDOG_DEAD},
    {SEC(6), SEC(94) - 1, SEC(100), WATCHDOG_DEAD}, /* of a device that was closed since */
    {SEC(6), SEC(94), SEC(100), WATCHDOG_ARMED},
    {SEC(6), SEC(100), SEC(100), WATCHDOG_ARMED},
    {SEC(6), SEC(101), SEC(100), WATCHDOG_DEAD}, /* no ping of this host */
    {USEC_INFINITY, SEC(1), SEC(100), WATCHDOG_ARMED},
    {USEC_INFINITY, NEVER, SEC(100), WATCHDOG_DEAD},
};

TEST(a_late_ping_proves_it, EACH(judged))
{
    ck_assert_int_eq((int)watchdog_judge(judged[_i].timeout, judged[_i].last_ping, judged[_i].now),
                     (int)judged[_i].state);
}

TEST(it_may_take_stop_timeout_and_k)
{
    ck_assert_uint_eq(watchdog_longest(S, K), LONGEST);
    ck_assert_uint_eq(watchdog_longest(SEC(1), 400 * USEC_PER_MSEC), SEC(1));
    ck_assert_uint_eq(watchdog_longest(500 * USEC_PER_MSEC, 400 * USEC_PER_MSEC), 0);
}

static const struct {
    struct watchdog watchdog;
    const char *says; /* "": it does */
} obstacles[] = {
    {{.state = WATCHDOG_UNKNOWN}, "has not said yet"},
    {{.state = WATCHDOG_OFF}, "is not armed: write RuntimeWatchdogSec=6s"},
    {{.state = WATCHDOG_DEAD, .timeout = SEC(5)},
     "RuntimeWatchdogSec= is 5s, but systemd speaks to"},
    {{.state = WATCHDOG_ARMED, .timeout = LONGEST}, ""},
    {{.state = WATCHDOG_ARMED, .timeout = SEC(1)}, ""},
    {{.state = WATCHDOG_ARMED, .timeout = LONGEST + 1}, "RuntimeWatchdogSec=6s"},
    {{.state = WATCHDOG_ARMED, .timeout = SEC(30)}, "resets the host only after 30s"},
    {{.state = WATCHDOG_ARMED, .timeout = USEC_INFINITY},
     "which may be too long: write RuntimeWatchdogSec=6s into "
     "/etc/systemd/system.conf.d/watchdog.conf, section [Manager], and run systemctl "
     "daemon-reexec"},
    {{.state = WATCHDOG_ARMED, .timeout = SEC(7)},
     "when another host may already lead: write "
     "RuntimeWatchdogSec=6s into /etc/systemd/system.conf.d/watchdog.conf, section [Manager], and "
     "run systemctl daemon-reexec"},
    {{.state = WATCHDOG_ARMED, .timeout = SEC(3), .device_timeout = LONGEST}, ""},
    {{.state = WATCHDOG_ARMED, .timeout = LONGEST, .device_timeout = SEC(10)},
     "resets the host only after 10s, when another host may already lead: RuntimeWatchdogSec= is "
     "6s"},
    {{.state = WATCHDOG_ARMED, .timeout = SEC(30), .device_timeout = SEC(40)},
     "resets the host only after 30s"},
};

TEST(an_obstacle_has_a_remedy, EACH(obstacles))
{
    char text[HOST_PROBLEM_MAX] = "x";

    watchdog_obstacle(&obstacles[_i].watchdog, LONGEST, text, sizeof text);
    if (!*obstacles[_i].says)
        ck_assert_str_eq(text, "");
    else
        ASSERT_CONTAINS(text, obstacles[_i].says);
}

/* ---- what the device makes of it ---- */

static void put_device(const char *name, const char *state, const char *timeout)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state", name);
    if (state)
        folder_put(path, state);
    (void)snprintf(path, sizeof path, "%s/timeout", name);
    folder_put(path, timeout);
}

TEST_CASE(device, .set_up = folder_make);

TEST(the_longest_that_is_armed)
{
    ck_assert_uint_eq(watchdog_device_timeout(folder()), 0);
    put_device("watchdog0", "active\n", "10\n");
    ck_assert_uint_eq(watchdog_device_timeout(folder()), SEC(10));
    put_device("watchdog1", "inactive\n", "60\n");
    ck_assert_uint_eq(watchdog_device_timeout(folder()), SEC(10));
    put_device("watchdog2", NULL, "20\n"); /* may be armed */
    ck_assert_uint_eq(watchdog_device_timeout(folder()), SEC(20));
    put_device("watchdog3", "active\n", "6\n");
    ck_assert_uint_eq(watchdog_device_timeout(folder()), SEC(20));
}

static const char *const no_times[] = {"", "\n", "x\n", "-1\n", "4294967296\n", "0\n"};

TEST(what_is_no_time_is_not_known, EACH(no_times))
{
    put_device("watchdog0", "active\n", no_times[_i]);
    folder_put("no-device", "");
    ck_assert_uint_eq(watchdog_device_timeout(folder()), 0);
    ck_assert_uint_eq(watchdog_device_timeout(in_folder("nowhere")), 0);
}

/* ---- the agent's view ---- */

#define GROUP "a"
#define KEEPER "tenure@a.service"
#define SLICE "tenure-a.slice"
#define UNIT "w.service"

static struct {
    sd_event *event;
    struct host *host;
    struct peer peer;
    /* What PID 1 says. */
    usec_t timeout, ping_age; /* age NEVER: none */
    unsigned asked;           /* how often, for the watchdog */
} world;

static void polled(void *userdata, const char *group)
{
    (void)userdata;
    ck_assert_str_eq(group, GROUP);
}

static void start_answered(void *userdata, const char *group, int error, const char *text)
{
    (void)userdata;
    (void)group;
    ck_abort_msg("nothing is started: %d %s", error, text);
}

static void own_job(void *userdata, int error, const char *type)
{
    (void)userdata;
    ck_abort_msg("nothing is asked: %d %s", error, type);
}

static void bus_changed(void *userdata, sd_bus *bus, const char *text)
{
    (void)userdata;
    ck_assert_msg(bus, "%s", text);
}

static const struct host_handler handler = {
    .polled = polled,
    .start_answered = start_answered,
    .own_job = own_job,
    .bus_changed = bus_changed,
};

static int listen_at(const char *path)
{
    static char address[256];
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_uint_lt(strlen(path), sizeof where.sun_path);
    memcpy(where.sun_path, path, strlen(path) + 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&where, sizeof where), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    (void)snprintf(address, sizeof address, "unix:path=%s", path);
    ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
    return fd;
}

static void begin(void)
{
    static const char *const units[] = {UNIT};

    folder_make();
    int fd = listen_at(in_folder("bus"));
    ck_assert_int_ge(sd_event_new(&world.event), 0);
    ck_assert_int_eq(host_new(world.event, &handler, NULL, &world.host), 0);
    peer_open(&world.peer, world.event, accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    (void)close(fd);
    ck_assert_int_eq(host_add_group(world.host, GROUP, units, 1, S), 0);
}

static void end(void)
{
    host_free(world.host);
    peer_close(&world.peer);
    sd_event_unref(world.event);
}

TEST_CASE(polled, .set_up = begin, .tear_down = end);

/* With all guards in effect. */
static void answer_keeper(sd_bus_message *call)
{
    const uint64_t never = 0;

    ck_assert_int_ge(
        sd_bus_reply_method_return(
            call, "a{sv}", 15, "Id", "s", KEEPER, "LoadState", "s", "loaded", "FragmentPath", "s",
            TENURE_UNIT_DIR "/tenure@.service", "Type", "s", "notify", "Restart", "s", "no",
            "TimeoutStopUSec", "t", S + 50 * USEC_PER_MSEC, "TimeoutAbortUSec", "t",
            S + 50 * USEC_PER_MSEC, "WatchdogSignal", "i", 9, "Requires", "as", 1, SLICE, "After",
            "as", 1, SLICE, "Before", "as", 1, UNIT, "PropagatesStopTo", "as", 1, UNIT,
            "Environment", "as", 1, "TENURE_UNITS=" UNIT, "ExecStart", "a(sasbttttuii)", 1,
            TENURE_KEEPER_PATH, 0, 0, never, never, never, never, 0u, 0, 0, "ExecStopPost",
            "a(sasbttttuii)", 1, TENURE_KEEPER_PATH, 0, 0, never, never, never, never, 0u, 0, 0),
        0);
    sd_bus_message_unref(call);
}

static void answer_unit(sd_bus_message *call)
{
    static const char unit[] =
        "14 Id s " UNIT " LoadState s loaded Slice s " SLICE " KillMode s control-group "
        "SendSIGKILL b 1 FinalKillSignal i 9 TimeoutStopUSec t 5000000 TimeoutUSec t 5000000 "
        "TimeoutStopFailureMode s kill BindsTo as 1 " KEEPER " After as 1 " KEEPER
        " WantedBy as 1 " KEEPER " EnvironmentFiles a(sb) 1 /run/tenure/groups/a/env 1 "
        "Asserts a(sbbsi) 1 AssertPathExists 0 0 /run/tenure/groups/a/live/state 0";
    static const char slice[] = "2 Id s " SLICE " LoadState s loaded";
    const char *path = sd_bus_message_get_path(call);
    char text[2048], *words = text;

    if (strstr(path, "tenure_40a")) {
        answer_keeper(call);
        return;
    }
    (void)snprintf(text, sizeof text, "%s", strstr(path, "tenure_2da") ? slice : unit);
    peer_answer(call, "a{sv}", &words);
}

static void answer_units(sd_bus_message *call)
{
    char text[] =
        "2 " KEEPER " x loaded inactive dead x / 0 x / " UNIT " x loaded inactive dead x / 0 x /";
    char *words = text;

    peer_answer(call, "a(ssssssouso)", &words);
}

static int answer_property(sd_bus_message *call)
{
    const char *name = "";
    usec_t ping = world.ping_age == NEVER ? NEVER : clock_monotonic() - world.ping_age;

    ck_assert_int_gt(sd_bus_message_read(call, "ss", NULL, &name), 0);
    if (strcmp(name, "ServiceWatchdogs") == 0)
        return sd_bus_reply_method_return(call, "v", "b", 1);
    if (strcmp(name, "UnitsLoadTimestampMonotonic") == 0)
        return sd_bus_reply_method_return(call, "v", "t", UINT64_C(5));
    if (strcmp(name, "WatchdogLastPingTimestampMonotonic") == 0)
        return sd_bus_reply_method_return(call, "v", "t", ping);
    ck_assert_str_eq(name, "RuntimeWatchdogUSec");
    world.asked++;
    return sd_bus_reply_method_return(call, "v", "t", world.timeout);
}

/* As PID 1 would, until nothing more is asked. */
static const struct group_view *answer_all(void)
{
    sd_bus_message *call;

    peer_pump(world.event);
    while ((call = peer_take(&world.peer))) {
        const char *member = sd_bus_message_get_member(call);
        char nothing[] = "", *words = nothing;

        if (strcmp(member, "ListUnitsByNames") == 0)
            answer_units(call);
        else if (strcmp(member, "GetAll") == 0)
            answer_unit(call);
        else if (strcmp(member, "Get") == 0) {
            ck_assert_int_ge(answer_property(call), 0);
            sd_bus_message_unref(call);
        } else
            peer_answer(call, "", &words);
        peer_pump(world.event);
    }
    return host_view(world.host, GROUP);
}

static const struct group_view *poll_as(usec_t timeout, usec_t ping_age)
{
    world.timeout = timeout;
    world.ping_age = ping_age;
    host_poll(world.host, GROUP);
    return answer_all();
}

TEST(what_no_group_requires_is_not_asked_for)
{
    const struct group_view *v = poll_as(0, NEVER);

    ck_assert_msg(v->state.guarded && !v->unarmed, "%s", v->problem);
    ck_assert_uint_eq(world.asked, 0);
}

TEST(a_host_without_it_is_not_ready)
{
    ck_assert_int_eq(host_require_watchdog(world.host, "other", LONGEST), -ENOENT);
    ck_assert_int_eq(host_require_watchdog(world.host, GROUP, LONGEST), 0);
    /* Not known yet is no reason to say that it is lost. */
    const struct group_view *v = host_view(world.host, GROUP);
    ck_assert(!v->state.guarded && !v->unarmed && !v->unguarded && *v->problem);

    v = poll_as(0, NEVER);
    ck_assert(!v->state.guarded && v->unarmed && v->unguarded && !v->lost);
    ASSERT_CONTAINS(v->problem, "is not armed: write RuntimeWatchdogSec=6s");
    v = poll_as(LONGEST, NEVER);
    ck_assert(!v->state.guarded && v->unarmed);
    v = poll_as(SEC(30), 0);
    ck_assert(!v->state.guarded && v->unarmed);
    ASSERT_CONTAINS(v->problem, "resets the host only after 30s");
}

TEST(a_host_with_it_is_ready_until_it_is_lost)
{
    ck_assert_int_eq(host_require_watchdog(world.host, GROUP, LONGEST), 0);
    const struct group_view *v = poll_as(LONGEST, SEC(3));
    ck_assert_msg(v->state.guarded && !v->unarmed, "%s", v->problem);
    ck_assert_uint_ge(world.asked, 1);

    v = poll_as(LONGEST, SEC(7)); /* the device has gone */
    ck_assert(!v->state.guarded && v->unarmed);
    v = poll_as(SEC(5), SEC(1));
    ck_assert_msg(v->state.guarded, "%s", v->problem);
    v = poll_as(0, SEC(1)); /* taken back */
    ck_assert(!v->state.guarded && v->unarmed);

    /* Required no longer. */
    ck_assert_int_eq(host_require_watchdog(world.host, GROUP, 0), 0);
    v = host_view(world.host, GROUP);
    ck_assert_msg(v->state.guarded && !v->unarmed, "%s", v->problem);

    /* And again: what was known before counts for nothing. */
    ck_assert_msg(poll_as(LONGEST, SEC(1))->state.guarded, "%s", v->problem);
    ck_assert_int_eq(host_require_watchdog(world.host, GROUP, LONGEST), 0);
    ck_assert(!host_view(world.host, GROUP)->state.guarded &&
              !host_view(world.host, GROUP)->unarmed);
    ck_assert_msg(answer_all()->state.guarded, "%s", v->problem);
}
