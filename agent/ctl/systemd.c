/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/systemd.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT "org.freedesktop.systemd1.Unit"

int systemd_open_bus(sd_bus **ret, usec_t limit)
{
    assert(ret);

    sd_bus *bus = NULL;
    usec_t end = usec_add(clock_monotonic(), limit);
    int r = sd_bus_open_system(&bus);

    while (r >= 0 && (r = sd_bus_is_ready(bus)) == 0) {
        usec_t now = clock_monotonic();

        r = now >= end ? -ETIMEDOUT : sd_bus_process(bus, NULL);
        if (r == 0)
            r = sd_bus_wait(bus, end - now);
    }
    if (r >= 0)
        r = sd_bus_set_method_call_timeout(bus, limit);
    if (r < 0) {
        (void)sd_bus_close_unref(bus); /* flushing would wait, too */
        return r;
    }
    *ret = bus;
    return 0;
}

/* property: one of the interface; NULL: all of them, or with the interface "" all of the object. */
static int ask_unit(sd_bus *bus, const char *unit, const char *interface, const char *property,
                    sd_bus_message **ret)
{
    _cleanup_message_ sd_bus_message *call = NULL;
    _cleanup_free_ char *path = NULL;
    int r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);

    if (r >= 0)
        r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, path,
                                           "org.freedesktop.DBus.Properties",
                                           property ? "Get" : "GetAll");
    if (r >= 0)
        r = sd_bus_message_append(call, "s", interface);
    if (r >= 0 && property)
        r = sd_bus_message_append(call, "s", property);
    return r < 0 ? r : sd_bus_call(bus, call, SYSTEMD_CALL_TIMEOUT_USEC, NULL, ret);
}

int systemd_requires(sd_bus *bus, const char *unit, const char *other)
{
    assert(unit);
    assert(other);

    _cleanup_message_ sd_bus_message *reply = NULL;
    const char *name;
    int r = ask_unit(bus, unit, SYSTEMD_UNIT, "Requires", &reply);

    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'v', "as");
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "s");
    while (r >= 0 && (r = sd_bus_message_read_basic(reply, 's', &name)) > 0)
        if (strcmp(name, other) == 0)
            return 1;
    return r < 0 ? r : 0;
}

int systemd_active_state(sd_bus *bus, const char *unit, char *ret, size_t size)
{
    assert(unit);
    assert(ret);

    _cleanup_message_ sd_bus_message *reply = NULL;
    const char *state;
    int r = ask_unit(bus, unit, SYSTEMD_UNIT, "ActiveState", &reply);

    if (r < 0)
        return r;
    r = sd_bus_message_read(reply, "v", "s", &state);
    if (r < 0)
        return r;
    int n = snprintf(ret, size, "%s", state);
    return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

static int read_device(sd_bus_message *m, struct watchdog *w)
{
    const char *device;
    int r = sd_bus_message_read(m, "v", "s", &device);

    if (r >= 0)
        (void)snprintf(w->device, sizeof w->device, "%s", device);
    return r;
}

/* Everything PID 1 has, of which these are three: one question instead of three. */
static int read_watchdog(sd_bus_message *m, struct watchdog *w, usec_t *last_ping)
{
    const char *name;
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
            return r;
        if (strcmp(name, "RuntimeWatchdogUSec") == 0)
            r = sd_bus_message_read(m, "v", "t", &w->timeout);
        else if (strcmp(name, "WatchdogLastPingTimestampMonotonic") == 0)
            r = sd_bus_message_read(m, "v", "t", last_ping);
        else if (strcmp(name, "WatchdogDevice") == 0)
            r = read_device(m, w);
        else
            r = sd_bus_message_skip(m, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

static int ask_for_properties(sd_bus *bus, sd_bus_message **ret)
{
    _cleanup_message_ sd_bus_message *call = NULL;
    int r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_PATH,
                                           "org.freedesktop.DBus.Properties", "GetAll");

    if (r >= 0)
        r = sd_bus_message_append(call, "s", SYSTEMD_MANAGER);
    return r < 0 ? r : sd_bus_call(bus, call, SYSTEMD_ASIDE_TIMEOUT_USEC, NULL, ret);
}

struct watchdog systemd_watchdog(sd_bus *bus)
{
    _cleanup_message_ sd_bus_message *reply = NULL;
    struct watchdog w = {.state = WATCHDOG_UNKNOWN};
    usec_t last_ping = USEC_INFINITY; /* "never" */

    if (ask_for_properties(bus, &reply) < 0 || read_watchdog(reply, &w, &last_ping) < 0)
        return (struct watchdog){.state = WATCHDOG_UNKNOWN};
    w.state = watchdog_judge(w.timeout, last_ping, clock_monotonic());
    return w;
}

int systemd_unit_properties(sd_bus *bus, const char *unit, sd_bus_message **ret)
{
    assert(unit);
    assert(ret);

    int r = ask_unit(bus, unit, "", NULL, ret);
    return r < 0 ? r : 0;
}

int systemd_reload(sd_bus *bus, sd_bus_error *error)
{
    _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
    int r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           "Reload");

    if (r < 0)
        return r;
    return sd_bus_call(bus, call, SYSTEMD_RELOAD_TIMEOUT_USEC, error, &reply);
}

static int ask_for_keepers(sd_bus *bus, sd_bus_message **ret)
{
    _cleanup_message_ sd_bus_message *call = NULL;
    char *states[] = {(char[]){"active"}, (char[]){"activating"}, (char[]){"deactivating"},
                      (char[]){"reloading"}, NULL};
    char *patterns[] = {(char[]){"tenure@*.service"}, NULL};
    int r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           "ListUnitsByPatterns");

    if (r < 0)
        return r;
    r = sd_bus_message_append_strv(call, states);
    if (r < 0)
        return r;
    r = sd_bus_message_append_strv(call, patterns);
    if (r < 0)
        return r;
    return sd_bus_call(bus, call, SYSTEMD_CALL_TIMEOUT_USEC, NULL, ret);
}

int systemd_each_keeper(sd_bus *bus, keeper_found found, void *userdata)
{
    assert(found);

    _cleanup_message_ sd_bus_message *reply = NULL;
    const char *unit, *state;
    int r = ask_for_keepers(bus, &reply);

    if (r < 0)
        return r;
    r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_read(reply, "(ssssssouso)", &unit, NULL, NULL, &state, NULL, NULL,
                                    NULL, NULL, NULL, NULL)) > 0) {
        char group[GROUP_NAME_MAX + 1];

        if (group_of_keeper_unit(unit, strlen(unit), group, sizeof group) == 0)
            found(userdata, group, state);
    }
    return r;
}

const char *systemd_said(const sd_bus_error *e, int error, char ret[static SYSTEMD_SAID_MAX])
{
    assert(e);
    assert(ret);

    return text_clean(e->message ? e->message : strerror(-error), ret, SYSTEMD_SAID_MAX);
}
