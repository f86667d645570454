/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/stop.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "keeper/by_name.h"
#include "keeper/declared.h"
#include "keeper/files.h"

struct stop {
    const struct keeper_config *config;
    char group[GROUP_NAME_MAX + 1];
    usec_t kill_time, limit; /* absolute */
    struct by_name by_name;
    bool kill_logged;
    bool began; /* a term, at the last look */
};

enum term {
    TERM_NONE,
    TERM_BEGINS, /* PID 1 may have the start jobs of keeper and units, which a stop would drop */
    TERM_LEADS,
};

/* Until the term is over, all that runs does so by right. A state that cannot be read may be one
 * that the keeper is writing at this moment; one that is not root's counts as none. */
static bool leads(const struct stop *s)
{
    struct ticket state;
    int r = state_read(s->config->groups_dir, s->group, &state);

    if (r == -ENOENT || r == -EPERM)
        return false;
    return r < 0 || clock_boottime() < state.deadline;
}

static enum term look_for_term(const struct stop *s)
{
    const struct keeper_config *c = s->config;
    /* In this order: what begins leads the moment after. */
    bool begins =
        term_begins(c->tickets_dir, c->groups_dir, c->instance, s->group, clock_boottime());

    return leads(s) ? TERM_LEADS : begins ? TERM_BEGINS : TERM_NONE;
}

static int refuse(const struct stop *s, enum term term)
{
    log_error("%s: not stopping anything: %s; its keeper comes first: systemctl stop "
              "tenure@%s.service",
              s->group, term == TERM_LEADS ? "this host leads the group" : "a term begins here",
              s->config->instance);
    return EXIT_LEADS;
}

static void log_kill(struct stop *s, usec_t now)
{
    if (s->kill_logged || now < s->kill_time || s->by_name.tree.alive == 0)
        return;
    s->kill_logged = true;
    log_warning("%s: killing what is left: %zu cgroups, the first of them %s", s->group,
                s->by_name.tree.alive, s->by_name.tree.first);
}

static int give_up(const struct stop *s)
{
    const char *unit = by_name_left(&s->by_name);
    char span[SPAN_FORMAT_MAX];

    log_line(
        LOG_ALERT,
        "%s: the group does not end here, %s after SIGKILL: %s%s, processes: %s; another host may "
        "lead it: end it, or restart this host",
        s->group, format_span(s->config->stop_limit, span, sizeof span),
        unit ? unit : "PID 1 has not answered", unit ? " is not dead" : "",
        s->by_name.tree.alive > 0 ? s->by_name.tree.first : "none");
    return EXIT_FAILURE;
}

static usec_t until_next_step(const struct stop *s, usec_t now)
{
    return usec_min(usec_sub(by_name_wakeup(&s->by_name, now), now), BY_NAME_INTERVAL_USEC);
}

/* Returns true when SIGTERM came. */
static bool sleep_or_signal(usec_t span)
{
    const struct timespec timeout = {.tv_nsec = (long)(span * 1000)};
    sigset_t term;

    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    return sigtimedwait(&term, NULL, &timeout) == SIGTERM;
}

/* A directory that PID 1 is removing, once a keeper is gone, looks for a moment like one that it
 * has just made: a term begins only if the next look finds the same. */
static int stop(struct stop *s)
{
    for (;;) {
        enum term term = look_for_term(s);
        if (term == TERM_LEADS || (term == TERM_BEGINS && s->began))
            return refuse(s, term);
        s->began = term == TERM_BEGINS;

        usec_t now = clock_boottime();
        if (!s->began && by_name_step(&s->by_name, now)) {
            log_info("%s: nothing of the group runs here", s->group);
            return EXIT_SUCCESS;
        }
        log_kill(s, now);
        if (now >= s->limit)
            return give_up(s);
        if (sleep_or_signal(s->began ? BY_NAME_INTERVAL_USEC : until_next_step(s, now))) {
            log_warning("%s: stopped before all of the group was dead", s->group);
            return EXIT_FAILURE;
        }
    }
}

int stop_run(const struct keeper_config *config)
{
    assert(config);
    assert(config->drop_in_dirs);
    assert(config->systemctl);

    struct declared units = {.n = 0};
    struct stop s = {.config = config};
    sigset_t all;
    usec_t now = clock_boottime();

    if (group_from_instance(config->instance, s.group, sizeof s.group) < 0) {
        log_error("\"%s\" is not the name of a group", config->instance);
        return EXIT_FAILURE;
    }
    if (sigfillset(&all) < 0 || sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        log_warning("%s: cannot block signals: %m", s.group);
    declared_read(&units, config->drop_in_dirs, config->instance);
    if (strcmp(config->instance, s.group) != 0) /* an agent that runs through an upgrade asked */
        declared_read(&units, config->drop_in_dirs, s.group);
    if (units.n == 0) {
        log_error(
            "%s: there is no drop-in of tenure@%s.service any more that names units of the group: "
            "run tenurectl apply",
            s.group, config->instance);
        return EXIT_FAILURE;
    }
    s.kill_time = usec_add(now, units.stop > 0 ? units.stop : STOP_UNKNOWN_USEC);
    s.limit = usec_add(s.kill_time, config->stop_limit);
    s.by_name = by_name_begin(&units, config->cgroup_root, NULL, config->systemctl, s.kill_time);
    int r = stop(&s);
    by_name_end(&s.by_name);
    return r;
}
