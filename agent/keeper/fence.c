/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"
#include "keeper/cgroup.h"
#include "keeper/files.h"
#include "keeper/last_resort.h"
#include "keeper/process.h"
#include "keeper/rules.h"
#include "keeper/units.h"

struct fence {
    const struct keeper_config *config;
    char group[GROUP_NAME_MAX + 1];
    usec_t began;     /* absolute */
    usec_t kill_time; /* absolute */
    struct last_resort_state last_resort;
    bool kill_logged;
    bool trouble_logged;
};

static int kill_if_due(struct fence *f, const struct slice *slice, uint64_t children)
{
    if (children == 0 || clock_boottime() < f->kill_time)
        return 0;
    if (!f->kill_logged) {
        f->kill_logged = true;
        log_warning("Killing what is left of group \"%s\": %" PRIu64 " cgroups.", f->group,
                    children);
    }
    return slice_kill(slice);
}

/* By path, and anew each time: the slice may be another one than a moment ago. Returns 0 with
 * the number of cgroups left (0 when there is no slice), or a negative errno. */
static int look_and_kill(struct fence *f, uint64_t *ret)
{
    struct slice slice = SLICE_CLOSED;
    int r = slice_open(f->config->cgroup_root, f->group, &slice);

    *ret = 0;
    if (r == -ENOENT)
        return 0;
    if (r >= 0) {
        r = slice_children(&slice, ret);
        if (r < 0)
            *ret = UINT64_MAX; /* not known to be empty, so kill all the same */
        int killed = kill_if_due(f, &slice, *ret);
        if (r >= 0)
            r = killed;
    }
    slice_close(&slice);
    return r == -ENODEV ? -EAGAIN : r; /* removed while we looked: look again */
}

/* Sleeps until the next look. Returns true when SIGTERM came: PID 1's patience is at its end, and
 * SIGKILL is what it sends next. */
static bool sleep_or_signal(const struct fence *f)
{
    sigset_t term;
    usec_t now = clock_boottime();
    usec_t span = usec_sub(fence_wakeup(f->began, f->kill_time, now), now);
    struct timespec timeout = {
        .tv_sec = (time_t)(span / USEC_PER_SEC),
        .tv_nsec = (long)(span % USEC_PER_SEC * 1000),
    };

    (void)sigemptyset(&term); /* cannot fail for a valid set and signal */
    (void)sigaddset(&term, SIGTERM);
    return sigtimedwait(&term, NULL, &timeout) == SIGTERM; /* else EAGAIN or EINTR: look */
}

static int fence(struct fence *f)
{
    for (;;) {
        uint64_t children;
        bool up =
            units_up(f->config->units_dir, f->config->units); /* first: see keeper_may_exit() */
        int r = look_and_kill(f, &children);

        if (r >= 0 && !up && children == 0)
            return EXIT_SUCCESS;
        if (clock_boottime() >= f->kill_time)
            last_resort(&f->last_resort, &(struct left){.children = children, .units_up = up});
        if (r < 0 && r != -EAGAIN && !f->trouble_logged) {
            f->trouble_logged = true;
            errno = -r;
            log_error("Cannot read or kill the slice of group \"%s\", trying again: %m", f->group);
        }
        if (sleep_or_signal(f) && f->kill_time > f->began) {
            log_warning("Told to hurry: not waiting for the stop timeout.");
            f->kill_time = f->began;
        }
    }
}

int fence_run(const struct keeper_config *config)
{
    assert(config);

    struct fence f = {.config = config, .began = clock_boottime()};
    struct ticket state;
    sigset_t all;
    int r = group_from_instance(config->instance, f.group, sizeof f.group);

    if (r < 0) {
        log_error("\"%s\" is not the name of a group as it stands in unit names.",
                  config->instance);
        return EXIT_FAILURE;
    }
    /* Only SIGTERM is looked at (above), and nothing but SIGKILL ends the fence early. */
    if (sigfillset(&all) < 0 || sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        log_warning("Cannot block signals: %m");

    r = state_read(config->groups_dir, f.group, &state);
    if (r < 0 && r != -ENOENT) {
        errno = -r;
        log_warning("Not waiting for the stop timeout, the keeper's state cannot be believed: %m");
    }
    f.kill_time = fence_kill_time(r < 0 ? NULL : &state, f.began);
    /* K of the term if that is known, else of the configuration, whose longer K ends a term. */
    usec_t kill = config->reboot_after > 0 ? config->reboot_after : BUDGET_KILL_MAX_USEC;
    last_resort_init(&f.last_resort, config, f.group, r < 0 ? kill : budget_kill(state.lease));
    return fence(&f);
}
