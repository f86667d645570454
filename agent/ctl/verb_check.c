/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb_check.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "config/load.h"
#include "ctl/load.h"
#include "ctl/mounts.h"
#include "ctl/not_applied.h"
#include "ctl/options.h"
#include "ctl/password.h"
#include "ctl/report_arbiter.h"
#include "ctl/report_host.h"
#include "ctl/units.h"
#include "ctl/watchdog.h"
#include "guard/copy.h"
#include "guard/text.h"

/* Polls come up to a tenth early, never late; a tenth is room for a host that is busy. */
#define POLL_ROOM_DIVISOR 10
/* No question to PID 1 about a unit is begun after this. */
#define UNITS_LIMIT_USEC (3 * USEC_PER_SEC)
#define SUM_MAX 256

/* From the leader's last renewal until another node asks its keeper to start, with an arbiter that
 * answers in time: a poll sees the renewal, the record is unchanged for L, and then claimed. */
static usec_t failover_bound(const struct budget *b)
{
    return b->lease + b->poll + b->poll / POLL_ROOM_DIVISOR + 2 * b->request;
}

static int name_width(const struct tenure_config *c)
{
    size_t width = strlen("GROUP");

    for (size_t i = 0; i < c->n_groups; i++)
        if (strlen(c->groups[i].name) > width)
            width = strlen(c->groups[i].name);
    return (int)width;
}

static const char *span(usec_t usec, char ret[static SPAN_FORMAT_MAX])
{
    return format_span(usec, ret, SPAN_FORMAT_MAX);
}

static void print_budgets(const struct ctl *ctl, const struct tenure_config *c)
{
    int width = name_width(c);

    (void)fprintf(ctl->out, "node %s, %zu group%s\n", c->node, c->n_groups,
                  c->n_groups == 1 ? "" : "s");
    if (c->n_groups == 0)
        return;
    (void)fprintf(ctl->out, "\n%-*s  %-8s %-8s %-8s %-8s %-8s %-10s %s\n", width, "GROUP",
                  "LEASE L", "STOP S", "KILL K", "RENEW D", "POLL p", "FAILOVER", "UNITS");
    for (size_t i = 0; i < c->n_groups; i++) {
        const struct config_group *g = &c->groups[i];
        const struct budget *b = &g->budget;
        char t[6][SPAN_FORMAT_MAX];

        (void)fprintf(ctl->out, "%-*s  %-8s %-8s %-8s %-8s %-8s %-10s", width, g->name,
                      span(b->lease, t[0]), span(b->stop, t[1]), span(b->kill, t[2]),
                      span(b->duration, t[3]), span(b->poll, t[4]), span(failover_bound(b), t[5]));
        for (size_t k = 0; k < g->n_units; k++)
            (void)fprintf(ctl->out, " %s", g->units[k]);
        (void)fputc('\n', ctl->out);
    }
    (void)fputs("\nD: how long a renewal makes a leader. Without a further one its units get "
                "SIGTERM at D,\nSIGKILL at D + S, and are gone at D + S + K, before L is over. "
                "FAILOVER: at the latest another\nhost starts the units, after the leader's last "
                "renewal and with a database that answers.\n",
                ctl->out);
}

/* Units whose second guard is not what was written, by name the first. */
struct gaps {
    size_t n;
    char unit[UNIT_NAME_LEN_MAX + 1];
};

static void note_gap(void *userdata, const char *unit)
{
    struct gaps *g = userdata;

    if (g->n++ == 0)
        (void)snprintf(g->unit, sizeof g->unit, "%s", unit);
}

static bool is_not_for_us(const char *file)
{
    return access(file, R_OK) < 0 && errno == EACCES;
}

/* It is there until the next boot. */
static void check_volatile(const struct ctl *ctl)
{
    bool late = ctl_warn_declared_late(ctl);

    ctl_warn(
        ctl,
        "there is no %s: what is applied is in %s, until this host boots%s. Make the directory "
        "of the first writable, and run tenurectl apply",
        ctl->applied[CONFIG_APPLIED_OWN], ctl->applied[CONFIG_APPLIED_VOLATILE],
        late ? ""
             : "; from then on no unit that the configuration names can be started "
               "until the agent's start has applied it again");
}

/* Findings about the host, which make no configuration wrong. */
static void check_applied(const struct ctl *ctl, const struct tenure_config *files)
{
    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_config_ struct tenure_config *c = NULL;
    struct gaps gaps = {.n = 0};
    size_t from = 0;

    /* They may hold a password, and are not readable by all users. */
    if (is_not_for_us(ctl->applied[CONFIG_APPLIED_OWN]) ||
        is_not_for_us(ctl->applied[CONFIG_APPLIED_VOLATILE]))
        return;
    int r = config_load_applied(ctl->applied, &problems, &c, &from);
    if (r == 0 && from == CONFIG_APPLIED_VOLATILE)
        check_volatile(ctl);
    else if (r == -EBADMSG || from != CONFIG_APPLIED_OWN)
        ctl_warn(ctl, "%s cannot be used%s: run tenurectl apply", ctl->applied[0],
                 r == 0 ? ", its copy is" : "");
    if (r < 0)
        return;
    ctl_print_kept(ctl, c);
    ctl_warn_not_applied(ctl, c, files);
    if (guard_copy_compare(c, ctl->copy_dir, ctl_unit_dirs(ctl), note_gap, &gaps) > 0)
        ctl_warn(ctl,
                 "there is one copy only, the generator's, of the guards of %zu unit%s: "
                 "%s/%s.d/" GUARD_FILE " is missing or another one; run tenurectl apply",
                 gaps.n, gaps.n == 1 ? "" : "s", ctl->copy_dir, gaps.unit);
}

/* What PID 1 knows of the units. Where it cannot be asked, say in a container in which a
 * configuration is built, the rest of the check counts. */
static void check_units(const struct ctl *ctl, sd_bus *bus, const struct tenure_config *c,
                        struct report *report)
{
    _cleanup_units_findings_ struct units_findings findings = {.stale = false};
    const char *unit = "its units";
    int r = units_ask(ctl, bus, c, true, usec_add(clock_monotonic(), UNITS_LIMIT_USEC), &findings,
                      &unit);

    report->n[VERDICT_BAD] += units_print(ctl, &findings);
    report->n[VERDICT_WARNING] += findings.warnings.n + findings.warnings.n_more;
    if (r < 0)
        report_line(report, VERDICT_UNKNOWN, "units", "systemd cannot be asked about %s: %s", unit,
                    strerror(-r));
    else if (findings.refused.n + findings.warnings.n == 0 && c->n_groups > 0)
        report_line(report, VERDICT_GOOD, "units", "as systemd knows them, they can be led");
}

/* What only this host can answer. A PID 1 that hangs is not asked once more. */
static void check_host(const struct ctl *ctl, const struct tenure_config *c, struct report *report)
{
    _cleanup_bus_ sd_bus *bus = NULL;
    int r = systemd_open_bus(&bus, SYSTEMD_ASIDE_TIMEOUT_USEC);

    if (r < 0) {
        report_line(report, VERDICT_UNKNOWN, "systemd", "the system bus cannot be reached: %s",
                    strerror(-r));
        return;
    }
    size_t unknown = report->n[VERDICT_UNKNOWN];
    if (ctl->asks_systemd)
        check_units(ctl, bus, c, report);
    if (!ctl->tries || report->n[VERDICT_UNKNOWN] > unknown)
        return;
    report_polkit(report, ctl, bus);
    report_bus(report, bus);
}

/* As monitoring has it, with all findings. */
static int conclude(const struct ctl *ctl, struct report *report, bool live)
{
    char sum[SUM_MAX];

    report->n[VERDICT_WARNING] += *ctl->n_warned;
    if (live)
        (void)fprintf(ctl->out, "\ncheck: %s\n", report_sum(report, sum, sizeof sum));
    else if (report->n[VERDICT_BAD] > 0)
        (void)ctl_fail(ctl, "%zu problem%s", report->n[VERDICT_BAD],
                       report->n[VERDICT_BAD] == 1 ? "" : "s");
    return (int)report_status(report);
}

/* NULL: it was refused, and so no server is asked. */
static void report_trial(struct report *report, struct trial *trial, bool require_sync)
{
    if (!trial) {
        report_line(report, VERDICT_UNKNOWN, "arbiter",
                    "not tried: the password would go to any server that answers, see above");
        return;
    }
    trial_finish(trial);
    report_arbiter(report, trial, require_sync);
}

/* of_host: the files of this host, not others that are to be tried. */
static int check(const struct ctl *ctl, const struct config_paths *paths, bool offline,
                 bool of_host)
{
    _cleanup_config_ struct tenure_config *config = NULL;
    _cleanup_trial_ struct trial *trial = NULL;
    struct report report = {.f = ctl->out};
    bool live = ctl->tries && !offline;

    if (ctl_load(ctl, paths, &config) != 0)
        return is_not_for_us(paths->main_file) ? CTL_CHECK_UNKNOWN : CTL_CHECK_BAD;
    bool exposed = !config->arbiter.allow_unverified && ctl_exposes_password(&config->arbiter);
    if (live && !exposed && !(trial = trial_start(ctl, &config->arbiter))) {
        (void)ctl_fail(ctl, "out of memory");
        return CTL_CHECK_UNKNOWN;
    }
    if (exposed) {
        ctl_print_exposed(ctl, &config->arbiter);
        report.n[VERDICT_BAD]++;
    }
    print_budgets(ctl, config);
    if (of_host)
        check_applied(ctl, config);
    if (of_host && !offline) {
        size_t n = ctl_warn_watchdog(ctl, config);

        /* More than a warning to those who monitor this host. */
        report.n[VERDICT_BAD] += n;
        *ctl->n_warned -= (unsigned)n;
    }
    if (live)
        (void)fputc('\n', ctl->out);
    if (!offline && (ctl->asks_systemd || ctl->tries))
        check_host(ctl, config, &report);
    if (live) {
        report_clock(&report);
        report_trial(&report, trial, config->arbiter.require_sync);
    }
    return conclude(ctl, &report, live);
}

/* groups.d beside the file; for free(3). */
static char *groups_dir_beside(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *dir;

    if (asprintf(&dir, "%.*sgroups.d", slash ? (int)(slash - file) + 1 : 0, file) < 0)
        return NULL;
    return dir;
}

int verb_check(const struct ctl *ctl, int argc, char *argv[])
{
    _cleanup_free_ char *dir = NULL;
    struct config_paths paths = ctl->paths;
    unsigned n_warned = 0;
    bool offline = false;
    const struct ctl_option options[] = {{.name = "offline", .flag = &offline}, {0}};
    struct ctl counting = *ctl;
    int r = ctl_options(ctl, argc, argv, options);

    if (r != 0)
        return r - 1;
    if (argc - optind > 1)
        return ctl_usage(ctl, "check takes one file at most: tenurectl check [FILE] [--offline]");
    if (optind < argc) {
        dir = groups_dir_beside(argv[optind]);
        if (!dir) {
            (void)ctl_fail(ctl, "out of memory");
            return CTL_CHECK_UNKNOWN;
        }
        paths.main_file = argv[optind];
        paths.groups_dir = dir;
    }
    counting.n_warned = &n_warned;
    return check(&counting, &paths, offline, !dir);
}
