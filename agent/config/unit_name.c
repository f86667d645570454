/* SPDX-License-Identifier: Apache-2.0 */
#include "config/unit_name.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/names.h"

#define UNIT_CHARS                                                                                 \
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"                               \
    ":-_.\\"

static const char *const suffixes_taken[] = {"service", "socket", "mount",
                                             "timer",   "path",   "target"};
static const char *const suffixes_refused[] = {"slice", "scope", "swap", "device", "automount"};

/* What the agent and the host themselves need: bound to a group, these units would stop with it. */
static const char *const host_units[] = {
    "-.mount",
    "basic.target",
    "dbus-broker.service",
    "dbus.service",
    "dbus.socket",
    "default.target",
    "emergency.target",
    "etc.mount",
    "final.target",
    "getty.target",
    "graphical.target",
    "halt.target",
    "local-fs-pre.target",
    "local-fs.target",
    "multi-user.target",
    "network-online.target",
    "network-pre.target",
    "network.target",
    "nss-lookup.target",
    "nss-user-lookup.target",
    "paths.target",
    "polkit.service",
    "poweroff.target",
    "reboot.target",
    "remote-fs-pre.target",
    "remote-fs.target",
    "rescue.target",
    "run.mount",
    "shutdown.target",
    "sleep.target",
    "slices.target",
    "sockets.target",
    "swap.target",
    "sysinit.target",
    "time-set.target",
    "time-sync.target",
    "timers.target",
    "umount.target",
    "usr.mount",
    "var.mount",
};

static bool stands_in(const char *s, const char *const list[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, list[i]) == 0)
            return true;
    return false;
}
#define STANDS_IN(s, list) stands_in(s, list, sizeof(list) / sizeof *(list))

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

const char *unit_name_suffix(const char *name)
{
    assert(name);

    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : "";
}

static const char *suffix_problem(const char *suffix)
{
    if (!*suffix)
        return "is no unit name: it has no suffix, write something like \"billing.service\"";
    if (STANDS_IN(suffix, suffixes_refused))
        return "is of a type that no group can have: a group has services, sockets, mounts, "
               "timers, paths and targets";
    if (!STANDS_IN(suffix, suffixes_taken))
        return "is no unit name: it must end in .service, .socket, .mount, .timer, .path or "
               ".target";
    return NULL;
}

const char *unit_name_problem(const char *name)
{
    assert(name);

    size_t length = strlen(name);
    const char *suffix = unit_name_suffix(name);
    const char *problem, *at;

    if (length == 0)
        return "is empty: write the name of a unit, such as \"billing.service\"";
    if (length > UNIT_NAME_LEN_MAX - strlen(".d")) /* its drop-ins' directory is a file name */
        return "is too long: at most 253 bytes";
    if (strchr(name, '/'))
        return "is no unit name: write the name of the unit, not the path of its file";
    if (strspn(name, UNIT_CHARS "@") != length)
        return "is no unit name: letters, digits and :-_.\\@ are allowed; systemd-escape(1) writes "
               "others with these";
    problem = suffix_problem(suffix);
    if (problem)
        return problem;

    size_t stem = (size_t)(suffix - name) - 1;
    if (stem == 0 || name[0] == '@')
        return "is no unit name: there is nothing before the suffix or the \"@\", write something "
               "like "
               "\"billing.service\"";
    at = memchr(name, '@', stem);
    if (at && (size_t)(at - name) + 1 == stem)
        return "is a template: name an instance of it, such as \"worker@1.service\"";

    if (strcmp(name, "tenured.service") == 0 || starts_with(name, "tenure@"))
        return "is a unit of tenure itself and cannot belong to a group: take it out";
    /* (A container is the administrator's, although its unit comes with systemd.) */
    if (STANDS_IN(name, host_units) ||
        (starts_with(name, "systemd-") && !starts_with(name, "systemd-nspawn@")))
        return "is a unit the host or tenure itself depends on and cannot belong to a group: take "
               "it "
               "out";
    return NULL;
}
