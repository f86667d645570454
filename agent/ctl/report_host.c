/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/report_host.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/text.h"
#include "ctl/agent.h"
#include "ctl/as_agent.h"
#include "ctl/systemd.h"
#include "daemon/clock_rate.h"

#define POLKIT "org.freedesktop.PolicyKit1"
#define POLKIT_RULES "polkit-1/rules.d/50-tenure.rules"
#define POLKIT_TEXT_MAX 256
#define BUS_POLICY "dbus-1/system.d/org.tenure1.conf"
/* As long as the clock is watched, where the kernel does not say what its rate was set to. */
#define CLOCK_WATCH_USEC (1 * USEC_PER_SEC)
#define CLOCK_LOOK_USEC (100 * USEC_PER_MSEC)

static bool is_installed(const char *const dirs[], const char *file)
{
    char path[256];

    for (size_t i = 0; dirs[i]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dirs[i], file);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* ---- polkit ---- */

static const struct {
    const char *unit, *verb;
} rights[] = {
    {"tenure@tenurectl-check.service", "start"},
    {"tenure@tenurectl-check.service", "stop"},
    {"tenure-stop@tenurectl-check.service", "start"},
    {"tenure-reload.service", "start"},
};

static const char *const missing[] = {
    SD_BUS_ERROR_SERVICE_UNKNOWN,
    SD_BUS_ERROR_NAME_HAS_NO_OWNER,
    "org.freedesktop.systemd1.UnitMasked", /* the bus has PID 1 start it */
    "org.freedesktop.systemd1.NoSuchUnit",
};

/* As PID 1 asks, of a process of the agent's user. 1: yes; 0: no; negative errno: text says why;
 * -ENXIO: it does not run, and is not started either. */
static int is_authorised(sd_bus *bus, pid_t pid, const char *unit, const char *verb,
                         char text[static POLKIT_TEXT_MAX])
{
    _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    int yes;
    int r = sd_bus_message_new_method_call(bus, &m, POLKIT, "/org/freedesktop/PolicyKit1/Authority",
                                           POLKIT ".Authority", "CheckAuthorization");

    if (r >= 0)
        r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "unix-process", 2, "pid", "u",
                                  (uint32_t)pid, "start-time", "t", UINT64_C(0),
                                  "org.freedesktop.systemd1.manage-units", 2, "unit", unit, "verb",
                                  verb, UINT32_C(0), "");
    if (r >= 0)
        r = sd_bus_call(bus, m, SYSTEMD_ASIDE_TIMEOUT_USEC, &error, &reply);
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
    if (r >= 0)
        r = sd_bus_message_read(reply, "b", &yes);
    if (r >= 0)
        return yes != 0;
    (void)text_clean(error.message ? error.message : strerror(-r), text, POLKIT_TEXT_MAX);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (sd_bus_error_has_name(&error, missing[i]))
            return -ENXIO;
    return r;
}

/* A process for polkit to look up: it is the agent's user once it has answered. */
static void stand_there(void *userdata, void *answer)
{
    (void)userdata;
    *(char *)answer = 1;
}

static void report_rights(struct report *r, sd_bus *bus, pid_t pid)
{
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        char text[POLKIT_TEXT_MAX];
        int yes = is_authorised(bus, pid, rights[i].unit, rights[i].verb, text);

        if (yes == -ENXIO)
            report_line(r, VERDICT_BAD, "polkit",
                        "it does not run, so systemd lets the agent start nothing: install "
                        "polkitd, or systemctl unmask polkit (%s)",
                        text);
        else if (yes < 0)
            report_line(r, VERDICT_UNKNOWN, "polkit", "it cannot be asked: %s", text);
        else if (yes == 0)
            report_line(r, VERDICT_BAD, "polkit",
                        "user " TENURE_USER " may not %s %s: is /usr/share/" POLKIT_RULES
                        " there as it was installed, and no other rule before it?",
                        rights[i].verb, rights[i].unit);
        if (yes <= 0)
            return;
    }
    report_line(r, VERDICT_GOOD, "polkit", "user " TENURE_USER " may start and stop keepers");
}

void report_polkit(struct report *r, const struct ctl *ctl, sd_bus *bus)
{
    assert(r);
    assert(ctl);

    struct as_agent subject = AS_AGENT_NONE;
    char there;

    /* polkit answers about another user's rights to root alone. */
    if (geteuid() != 0) {
        report_line(r, VERDICT_UNKNOWN, "polkit", "only root may ask: run it as root");
        return;
    }
    int error = as_agent_possible(ctl->agent_user);
    if (error == 0)
        error = as_agent_start(ctl->agent_user, stand_there, NULL, sizeof there, &subject);
    if (error == 0)
        error = as_agent_await(&subject, &there, sizeof there,
                               usec_add(clock_boottime(), SYSTEMD_ASIDE_TIMEOUT_USEC));
    if (error == 0)
        report_rights(r, bus, subject.pid);
    else if (error != -ESRCH) /* which is said elsewhere */
        report_line(r, VERDICT_UNKNOWN, "polkit", "it cannot be asked: %s", strerror(-error));
    as_agent_end(&subject);
}

/* ---- the bus ---- */

void report_bus(struct report *r, sd_bus *bus)
{
    static const char *const dirs[] = {"/usr/share", "/etc", "/usr/local/share", NULL};
    char state[ACTIVE_STATE_SIZE] = "";
    int running = agent_running(bus);

    assert(r);

    if (running < 0)
        report_line(r, VERDICT_UNKNOWN, "D-Bus", "the bus cannot be asked for tenured: %s",
                    strerror(-running));
    else if (running > 0)
        report_line(r, VERDICT_GOOD, "D-Bus", "tenured runs, and has its name on the bus");
    else if (!is_installed(dirs, BUS_POLICY))
        report_line(r, VERDICT_WARNING, "D-Bus",
                    "/usr/share/" BUS_POLICY " is missing, so tenured can be neither asked nor "
                    "reloaded: install tenure again, then systemctl reload dbus");
    else if (systemd_active_state(bus, "tenured.service", state, sizeof state) == 0 &&
             strcmp(state, "active") == 0)
        report_line(r, VERDICT_WARNING, "D-Bus",
                    "tenured runs, and is not on the bus: if tenure was installed since the bus "
                    "was started, systemctl reload dbus, then systemctl restart tenured");
    else
        report_line(r, VERDICT_BAD, "agent",
                    "tenured does not run on this host: systemctl enable --now tenured");
}

/* ---- the clock ---- */

void report_clock(struct report *r)
{
    assert(r);

    struct drift_watch watch = {.has_mark = false};
    enum rate_verdict verdict = RATE_UNKNOWN;
    char text[RATE_TEXT_MAX];
    usec_t end = usec_add(clock_boottime(), CLOCK_WATCH_USEC);
    struct rate_reading look;

    rate_read(&look);
    verdict = rate_judge(&watch, &look, text);
    while (verdict == RATE_UNKNOWN && clock_boottime() < end) {
        (void)usleep(CLOCK_LOOK_USEC);
        rate_read(&look);
        verdict = rate_judge(&watch, &look, text);
    }
    if (verdict == RATE_FIT)
        report_line(r, VERDICT_GOOD, "clock", "its rate is one to count leases on");
    else if (verdict == RATE_UNFIT)
        report_line(r, VERDICT_BAD, "clock", "%s", text);
    else
        report_line(r, VERDICT_UNKNOWN, "clock", "its rate could not be measured in a second");
}
