/* SPDX-License-Identifier: Apache-2.0 */
#include "host/signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/bus_names.h"
#include "host/ended.h"
#include "host/groups.h"
#include "host/polkit.h"
#include "host/state.h"

/* Five matches, whatever the number of groups: dbus-daemon allows 512 a connection. */
#define MATCH_UNITS                                                                                \
    "type='signal',sender='" SYSTEMD_NAME "',interface='org.freedesktop.DBus.Properties',"         \
    "member='PropertiesChanged',path_namespace='" SYSTEMD_UNIT_PATH "',arg0='" SYSTEMD_UNIT "'"
#define MATCH_JOBS                                                                                 \
    "type='signal',sender='" SYSTEMD_NAME "',interface='" SYSTEMD_MANAGER                          \
    "',member='JobRemoved',path='" SYSTEMD_PATH "'"
#define MATCH_RELOADING                                                                            \
    "type='signal',sender='" SYSTEMD_NAME "',interface='" SYSTEMD_MANAGER                          \
    "',member='Reloading',path='" SYSTEMD_PATH "'"
#define MATCH_OWNER                                                                                \
    "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"                \
    "member='NameOwnerChanged',path='/org/freedesktop/DBus',arg0='" SYSTEMD_NAME "'"
#define MATCH_POLKIT                                                                               \
    "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"                \
    "member='NameOwnerChanged',path='/org/freedesktop/DBus',arg0='" POLKIT_NAME "'"

/* What a PropertiesChanged says of the two properties that matter; has_… says which were there. */
struct change {
    bool has_active, has_job;
    const char *active;
    uint32_t job;
};

static int read_changed(sd_bus_message *m, struct change *ret)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *key;

        if ((r = sd_bus_message_read(m, "s", &key)) < 0)
            return r;
        if (strcmp(key, "ActiveState") == 0) {
            r = sd_bus_message_read(m, "v", "s", &ret->active);
            ret->has_active = true;
        } else if (strcmp(key, "Job") == 0) {
            r = sd_bus_message_read(m, "v", "(uo)", &ret->job, NULL);
            ret->has_job = true;
        } else
            r = sd_bus_message_skip(m, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

/* A keeper's STATUS= changes with every renewal, and PID 1 sends a signal each time: only a signal
 * that contradicts the last answer is worth a poll. Messages of one peer keep their order, so a
 * signal that agrees with the last answer says nothing that the poll under way will not. */
static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct host *h = userdata;
    struct watched *w = watched_find(h, sd_bus_message_get_path(m));
    struct change c = {0};

    (void)error;
    if (!w)
        return 0;
    int r = sd_bus_message_skip(m, "s");
    if (r >= 0)
        r = read_changed(m, &c);
    if (r < 0 || c.has_active || c.has_job)
        ended_stirred(w);
    if (r < 0 || !w->group->view.state.asked_at ||
        (c.has_active && strcmp(c.active, w->view->active_state) != 0) ||
        (c.has_job && c.job != w->job))
        group_poll_soon(h, w->group);
    return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct host *h = userdata;
    const char *unit;
    char *path = NULL;

    (void)error;
    if (sd_bus_message_read(m, "uoss", NULL, NULL, &unit, NULL) < 0 ||
        sd_bus_path_encode(SYSTEMD_UNIT_PATH, unit, &path) < 0)
        return 0;
    struct watched *w = watched_find(h, path);
    free(path);
    if (w) {
        ended_stirred(w);
        group_poll_soon(h, w->group);
    }
    return 0;
}

static int on_reloading(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct host *h = userdata;
    int begins;

    (void)error;
    /* Nothing counts as guarded from the beginning of a reload on. */
    if (sd_bus_message_read(m, "b", &begins) >= 0)
        groups_new_generation(h);
    groups_poll_soon(h);
    return 0;
}

/* PID 1 left the bus or came back: dbus-daemon was restarted, or PID 1 executed itself again. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct host *h = userdata;

    (void)m;
    (void)error;
    h->subscribed = false;
    h->subscribe_at = 0;
    groups_new_generation(h);
    groups_poll_soon(h);
    return 0;
}

static int on_polkit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const char *owner;

    (void)error;
    if (sd_bus_message_read(m, "sss", NULL, NULL, &owner) >= 0)
        polkit_ask_again(userdata, *owner);
    return 0;
}

int signals_install(struct host *h)
{
    int r;

    if ((r = sd_bus_add_match_async(h->bus, NULL, MATCH_UNITS, on_unit, NULL, h)) < 0 ||
        (r = sd_bus_add_match_async(h->bus, NULL, MATCH_JOBS, on_job_removed, NULL, h)) < 0 ||
        (r = sd_bus_add_match_async(h->bus, NULL, MATCH_RELOADING, on_reloading, NULL, h)) < 0 ||
        (r = sd_bus_add_match_async(h->bus, NULL, MATCH_OWNER, on_owner, NULL, h)) < 0 ||
        (r = sd_bus_add_match_async(h->bus, NULL, MATCH_POLKIT, on_polkit, NULL, h)) < 0)
        return r;
    return 0;
}
