/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/fence.h"

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
#include "keeper/by_name.h"
#include "keeper/cgroup.h"
#include "keeper/declared.h"
#include "keeper/files.h"
#include "keeper/last_resort.h"
#include "keeper/rules.h"
#include "keeper/units.h"

/* Once all that the fence itself can see is gone, PID 1 has this long to confirm it. The agent asks
 * again anyway, before it releases the record. */
#define CONFIRM_USEC (500 * USEC_PER_MSEC)

struct fence {
    const struct keeper_config *config;
    char group[GROUP_NAME_MAX + 1];
    char slice_unit[UNIT_NAME_LEN_MAX + 1];
    usec_t began;     /* absolute */
    usec_t kill_time; /* absolute */
    uint64_t term;    /* 0: not known */
    bool had_units;   /* they may have been started */
    struct last_resort_state last_resort;
    struct by_name by_name; /* what is not in the slice */
    usec_t gone_since;      /* absolute; 0: something is left */
    bool kill_logged, outside_logged;
    bool trouble_logged;
};

static int kill_if_due(struct fence *f, const struct slice *slice, const struct keeper_look *look)
{
    if (look->children == 0 || clock_boottime() < f->kill_time)
        return 0;
    if (!f->kill_logged && look->populated) {
        f->kill_logged = true;
        log_warning("%s: the fence kills what is left: %" PRIu64 " cgroups", f->group,
                    look->children);
    }
    return slice_kill(slice);
}

/* By path, and opened again each time: the slice may be another one than a moment ago. Returns 0
 * with what is left in it (nothing when there is no slice), or a negative errno. */
static int look_and_kill(struct fence *f, struct keeper_look *ret)
{
    struct slice slice = SLICE_CLOSED;
    int r = slice_open(f->config->cgroup_root, f->group, &slice);

    ret->children = 0;
    ret->populated = r < 0 && r != -ENOENT && r != -ENODEV;
    if (r == -ENOENT)
        return 0;
    if (r >= 0) {
        if ((r = slice_children(&slice, &ret->children)) < 0 ||
            (r = slice_populated(&slice, &ret->populated)) < 0) {
            ret->children = UINT64_MAX; /* not known to be empty, so kill all the same */
            ret->populated = true;
        }
        int killed = kill_if_due(f, &slice, ret);
        if (r >= 0)
            r = killed;
    }
    slice_close(&slice);
    return r == -ENODEV ? -EAGAIN : r; /* removed while we looked: look again */
}

/* In this order: see struct keeper_look. Same returns. */
static int look(struct fence *f, struct keeper_look *ret)
{
    const struct keeper_config *c = f->config;

    *ret = (struct keeper_look){.answered = true};
    if (f->had_units)
        ret->stops = stops_read(c->stops_dir, f->group, f->term);

    struct units_look units = units_look(c->units_dir, c->units);

    ret->up = units.up;
    ret->unlinked = units.unlinked;
    return look_and_kill(f, ret);
}

/* Sleeps until the next look. Returns true when SIGTERM came: PID 1 waits no longer, and sends
 * SIGKILL next. */
static bool sleep_or_signal(const struct fence *f)
{
    sigset_t term;
    usec_t now = clock_boottime();
    usec_t span = usec_sub(
        usec_min(fence_wakeup(f->began, f->kill_time, now), by_name_wakeup(&f->by_name, now)), now);
    struct timespec timeout = {
        .tv_sec = (time_t)(span / USEC_PER_SEC),
        .tv_nsec = (long)(span % USEC_PER_SEC * 1000),
    };

    (void)sigemptyset(&term); /* cannot fail for a valid set and signal */
    (void)sigaddset(&term, SIGTERM);
    return sigtimedwait(&term, NULL, &timeout) == SIGTERM; /* else EAGAIN or EINTR: look */
}

/* After the slice, and after the last resort: nothing here may delay those. */
static void stop_by_name(struct fence *f)
{
    const struct tree *outside = &f->by_name.tree;

    f->by_name.kill_time = f->kill_time;
    (void)by_name_step(&f->by_name, clock_boottime());
    if (outside->alive == 0 || clock_boottime() < f->kill_time || f->outside_logged)
        return;
    f->outside_logged = true;
    log_warning("%s: killing what runs outside the slice: %zu cgroups, the first of them %s",
                f->group, outside->alive, outside->first);
}

/* gone: nothing is left as far as can be seen without PID 1. */
static bool may_go(struct fence *f, bool gone)
{
    usec_t now = clock_boottime();

    if (!gone)
        f->gone_since = 0;
    else if (f->gone_since == 0)
        f->gone_since = now;
    if (!gone || f->by_name.phase == BY_NAME_DONE)
        return gone;
    if (usec_sub(now, f->gone_since) < CONFIRM_USEC)
        return false;
    log_warning("%s: nothing is left, but PID 1 has not confirmed it in time", f->group);
    return true;
}

/* Cgroups outside the slice count like those in it, as the last look found them. */
static void add_outside(struct keeper_look *found, size_t alive)
{
    found->populated = found->populated || alive > 0;
    if (found->children < UINT64_MAX - alive)
        found->children += alive;
}

static int fence(struct fence *f)
{
    for (;;) {
        struct keeper_look found;
        int r = look(f, &found);

        add_outside(&found, f->by_name.tree.alive);
        bool gone = r >= 0 && look_gone(&found, f->config->reboot_after > 0);
        if (!gone && clock_boottime() >= f->kill_time)
            last_resort(&f->last_resort, &found);
        stop_by_name(f);
        if (may_go(f, gone && f->by_name.tree.alive == 0))
            return EXIT_SUCCESS;
        if (r < 0 && r != -EAGAIN && !f->trouble_logged) {
            f->trouble_logged = true;
            errno = -r;
            log_error("%s: cannot read or kill the slice, trying again: %m", f->group);
        }
        if (sleep_or_signal(f) && f->kill_time > f->began) {
            log_warning("%s: SIGTERM came: not waiting for the stop timeout", f->group);
            f->kill_time = f->began;
        }
    }
}

/* A keeper that ended well had PID 1's word that it stops what is bound to the keeper. That covers
 * nothing that runs elsewhere, which one look finds; then PID 1 is asked as well. */
static bool all_is_said(const struct fence *f, const struct declared *units)
{
    struct tree outside;

    return !f->config->systemctl ||
           (f->config->ended_well &&
            tree_look(f->config->cgroup_root, units->names, f->slice_unit, false, &outside) == 0 &&
            outside.alive == 0);
}

static void prepare_by_name(struct fence *f, struct declared *units)
{
    const struct keeper_config *c = f->config;

    declared_add(units, c->units);
    if (c->drop_in_dirs)
        declared_read(units, c->drop_in_dirs, c->instance);
    /* A valid name fits. */
    (void)group_slice_unit(f->group, f->slice_unit, sizeof f->slice_unit);
    if (all_is_said(f, units))
        *units = (struct declared){.n = 0};
    f->by_name = by_name_begin(units, c->cgroup_root, f->slice_unit,
                               c->systemctl ? c->systemctl : "", f->kill_time);
}

int fence_run(const struct keeper_config *config)
{
    assert(config);

    struct fence f = {.config = config, .began = clock_boottime()};
    struct declared units = {.n = 0};
    struct ticket state;
    sigset_t all;
    int r = group_from_instance(config->instance, f.group, sizeof f.group);

    if (r < 0) {
        log_error("\"%s\" is not the name of a group", config->instance);
        return EXIT_FAILURE;
    }
    /* Only SIGTERM is waited for (above), and nothing but SIGKILL ends the fence early. */
    if (sigfillset(&all) < 0 || sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        log_warning("%s: cannot block signals: %m", f.group);

    r = state_read(config->groups_dir, f.group, &state);
    if (r < 0 && r != -ENOENT) {
        errno = -r;
        log_warning(
            "%s: not waiting for the stop timeout, as the keeper's state cannot be trusted: %m",
            f.group);
    }
    f.term = r < 0 ? 0 : state.term;
    f.had_units = r >= 0 || state_was_there(config->groups_dir, f.group);
    f.kill_time = fence_kill_time(r < 0 ? NULL : &state, f.began);
    /* K of the term if that is known, else of the configuration, whose longer K ends a term. */
    usec_t kill = config->reboot_after > 0 ? config->reboot_after : BUDGET_KILL_MAX_USEC;
    last_resort_init(&f.last_resort, config, f.group, r < 0 ? kill : budget_kill(state.lease));
    prepare_by_name(&f, &units);
    r = fence(&f);
    by_name_end(&f.by_name);
    return r;
}
