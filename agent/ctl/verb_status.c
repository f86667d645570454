/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "ctl/agent.h"
#include "ctl/ctl.h"
#include "ctl/status.h"
#include "ctl/systemd.h"

static void print_keeper(void *userdata, const char *group)
{
    const struct ctl *ctl = userdata;

    (void)fprintf(ctl->err, "The keeper of group \"%s\" lives: its units run until its deadline.\n",
                  group);
}

/* The agent does not answer: what to do, and what nevertheless goes on. */
static int explain_silence(const struct ctl *ctl, sd_bus *bus, int error)
{
    if (error == -ENXIO)
        (void)ctl_fail(ctl, "tenured does not run on this host: see `systemctl status tenured`, "
                            "start it with `systemctl start tenured`");
    else if (error == -ETIMEDOUT)
        (void)ctl_fail(ctl, "tenured does not answer: see `systemctl status tenured`");
    else
        (void)ctl_fail(ctl, "cannot ask tenured: %s", strerror(-error));
    (void)systemd_each_keeper(bus, print_keeper, (void *)(uintptr_t)ctl);
    return CTL_FAILED;
}

static int print_status(const struct ctl *ctl, const struct agent_view *v, const struct watchdog *w,
                        const char *name, bool json)
{
    const struct agent_group *g = name ? agent_find_group(v, name) : NULL;

    if (name && !g)
        return ctl_fail(ctl,
                        "there is no group \"%s\" here: see `tenurectl status`; a new one is taken "
                        "by `systemctl reload tenured`",
                        name);
    if (json) {
        int r = status_print_json(ctl->out, v, w, g);

        return r < 0 ? ctl_fail(ctl, "cannot write JSON: %s", strerror(-r)) : CTL_OK;
    }
    if (g)
        status_print_group(ctl->out, v, w, g);
    else
        status_print_all(ctl->out, v, w);
    return CTL_OK;
}

int verb_status(const struct ctl *ctl, int argc, char *argv[])
{
    _cleanup_bus_ sd_bus *bus = NULL;
    _cleanup_agent_view_ struct agent_view *view = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}, {0}};
    int r = ctl_options(ctl, argc, argv, options);

    if (r != 0)
        return r - 1;
    if (argc - optind > 1)
        return ctl_usage(ctl, "status takes one group at most: tenurectl status [GROUP] [--json]");
    if (optind < argc && !group_name_valid(argv[optind]))
        return ctl_usage(ctl, "\"%s\" is no name of a group", argv[optind]);

    r = sd_bus_open_system(&bus);
    if (r < 0)
        return ctl_fail(ctl, "cannot reach the system bus: %s", strerror(-r));
    r = agent_look(bus, &view);
    if (r < 0)
        return explain_silence(ctl, bus, r);

    struct watchdog watchdog = systemd_watchdog(bus);
    return print_status(ctl, view, &watchdog, optind < argc ? argv[optind] : NULL, json);
}
