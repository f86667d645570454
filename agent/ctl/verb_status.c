/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb_status.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/agent.h"
#include "ctl/not_applied.h"
#include "ctl/options.h"
#include "ctl/status_json.h"
#include "ctl/status_text.h"
#include "ctl/systemd.h"

/* ---- without an answer ---- */

static void print_keeper(void *userdata, const char *group, const char *active_state)
{
    const struct ctl *ctl = userdata;

    (void)fprintf(ctl->err, "The keeper of group \"%s\" %s.\n", group,
                  status_of_keeper(active_state));
}

static void take_keeper(void *userdata, const char *group, const char *active_state)
{
    struct silence *s = userdata;
    struct silent_keeper *more = reallocarray(s->keepers, s->n_keepers + 1, sizeof *more);

    if (!more) {
        s->out_of_memory = true;
        return;
    }
    s->keepers = more;
    (void)snprintf(more[s->n_keepers].group, sizeof more->group, "%s", group);
    (void)snprintf(more[s->n_keepers++].active_state, sizeof more->active_state, "%s",
                   active_state);
}

static void say(struct silence *s, bool runs_not, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct silence *s, bool runs_not, const char *format, ...)
{
    va_list ap;

    s->runs_not = runs_not;
    va_start(ap, format);
    (void)vsnprintf(s->why, sizeof s->why, format, ap);
    va_end(ap);
}

/* The agent's name has no owner on the bus: PID 1 knows why. */
static void explain_absence(sd_bus *bus, struct silence *s)
{
    char state[ACTIVE_STATE_SIZE];
    int r = systemd_active_state(bus, "tenured.service", state, sizeof state);

    if (r < 0)
        say(s, false,
            "tenured is not on the system bus, and systemd does not say whether it runs: %s",
            strerror(-r));
    else if (strcmp(state, "activating") == 0 || strcmp(state, "deactivating") == 0)
        say(s, false, "tenured is being %s: ask again in a moment, or see `journalctl -eu tenured`",
            *state == 'a' ? "started" : "stopped");
    else if (strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0)
        say(s, false,
            "tenured runs, but cannot be reached: it is not on the system bus. Its groups are "
            "led all the same. See `journalctl -eu tenured`; if tenure was installed since the "
            "bus was started, `systemctl reload dbus`");
    else
        say(s, true,
            "tenured does not run on this host: see `systemctl status tenured`, start it with "
            "`systemctl start tenured`");
}

static void explain(sd_bus *bus, int error, struct silence *s)
{
    if (!bus)
        say(s, false,
            "cannot reach the system bus, so cannot ask tenured: %s; see `systemctl status dbus`",
            strerror(-error));
    else if (error == -ENXIO)
        explain_absence(bus, s);
    else if (error == -ETIMEDOUT)
        say(s, false,
            "tenured runs, but cannot be reached: it does not answer; see `systemctl status "
            "tenured`");
    else
        say(s, false, "cannot ask tenured: %s; see `systemctl status tenured`", strerror(-error));
}

/* The agent does not answer: prints why, what to do, and what goes on nevertheless. */
static int print_silence(const struct ctl *ctl, sd_bus *bus, int error, const char *group,
                         bool json)
{
    struct silence s = {.group = group};
    int r = 0;

    explain(bus, error, &s);
    (void)ctl_fail(ctl, "%s", s.why);
    if (bus && json)
        s.knows_keepers = systemd_each_keeper(bus, take_keeper, &s) >= 0;
    else if (bus)
        (void)systemd_each_keeper(bus, print_keeper, (void *)(uintptr_t)ctl);
    if (json)
        r = s.out_of_memory ? -ENOMEM : status_print_silence(ctl->out, &s);
    free(s.keepers);
    if (r < 0)
        return ctl_fail(ctl, "cannot write JSON: %s", strerror(-r));
    return s.runs_not ? CTL_NOT_RUNNING : CTL_UNREACHABLE;
}

/* ---- with one ---- */

/* Of this group; NULL: of all. */
static bool units_run(const struct agent_view *v, const struct agent_group *g)
{
    for (size_t i = 0; i < v->n_groups; i++)
        if ((!g || g == &v->groups[i]) && v->groups[i].units_not_running > 0)
            return false;
    return true;
}

static int print_status(const struct ctl *ctl, const struct agent_view *v, const struct watchdog *w,
                        const char *name, bool json)
{
    const struct agent_group *g = name ? agent_find_group(v, name) : NULL;

    if (name && !g)
        return ctl_no_group(ctl, name);
    if (json) {
        int r = status_print_json(ctl->out, v, w, g);

        if (r < 0)
            return ctl_fail(ctl, "cannot write JSON: %s", strerror(-r));
    } else if (g)
        status_print_group(ctl->out, v, w, g);
    else
        status_print_all(ctl->out, v, w);
    return units_run(v, g) ? CTL_OK : CTL_UNITS_DOWN;
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

    const char *group = optind < argc ? argv[optind] : NULL;
    r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = agent_read(bus, &view);
    if (r < 0)
        return print_silence(ctl, bus, r, group, json);

    struct watchdog watchdog = systemd_watchdog(bus);
    r = print_status(ctl, view, &watchdog, group, json);
    if ((r == CTL_OK || r == CTL_UNITS_DOWN) && !json)
        ctl_warn_files_differ(ctl);
    return r;
}
