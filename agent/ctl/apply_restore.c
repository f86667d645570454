/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/apply_restore.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/file.h"
#include "config/load.h"
#include "config/snapshot.h"
#include "ctl/apply.h"
#include "ctl/apply_lock.h"
#include "ctl/apply_write.h"
#include "ctl/systemd.h"
#include "guard/copy.h"
#include "guard/remember.h"

static bool same_files(const char *a, const char *b)
{
    _cleanup_free_ char *one = NULL, *other = NULL;

    return file_read(a, CONFIG_SNAPSHOT_SIZE_MAX, &one) == 0 &&
           file_read(b, CONFIG_SNAPSHOT_SIZE_MAX, &other) == 0 && strcmp(one, other) == 0;
}

static void count_difference(void *userdata, const char *unit)
{
    (void)unit;
    ++*(size_t *)userdata;
}

/* What is applied and where it was found; complete: all of it is there twice. */
struct applied {
    struct tenure_config *config;
    size_t from;
    bool twice;      /* itself */
    bool complete;   /* and its guards */
    bool remembered; /* since the boot */
};

/* Returns as config_load_applied(). */
static int read_applied(const struct ctl *ctl, struct applied *ret)
{
    _cleanup_problems_ struct config_problems problems = {0};
    size_t n = 0;
    int r = config_load_applied(ctl->applied, &problems, &ret->config, &ret->from);

    if (r < 0)
        return r;
    ret->twice = ret->from == CONFIG_APPLIED_OWN && same_files(ctl->applied[0], ctl->applied[1]);
    ret->complete = ret->twice && guard_copy_compare(ret->config, ctl->copy_dir, ctl_unit_dirs(ctl),
                                                     count_difference, &n) == 0;
    ret->remembered = guard_remembers(ret->config, ctl->remember_dir, ctl_unit_dirs(ctl));
    return 0;
}

static bool any_older(const struct ctl *ctl)
{
    for (size_t i = 0; ctl->applied[i]; i++)
        if (i >= CONFIG_APPLIED_OLDER && access(ctl->applied[i], F_OK) == 0)
            return true;
    return false;
}

static bool has_all(const struct tenure_config *c, char *const *units, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!config_has_unit(c, units[i]))
            return false;
    return true;
}

static bool guards_all_of(const struct tenure_config *c, const struct tenure_config *older)
{
    bool all = true;

    for (size_t i = 0; all && i < older->n_groups; i++)
        all = has_all(c, older->groups[i].units, older->groups[i].n_units);
    for (size_t i = 0; all && i < older->n_kept; i++)
        all = has_all(c, older->kept[i].units, older->kept[i].n_units);
    return all;
}

/* Files of an earlier version that name nothing more than what is applied. Of others the next apply
 * keeps what they name. */
static void remove_older(const struct ctl *ctl, const struct tenure_config *c)
{
    for (size_t i = 0; ctl->applied[i]; i++) {
        _cleanup_problems_ struct config_problems problems = {0};
        _cleanup_config_ struct tenure_config *older = NULL;

        if (i >= CONFIG_APPLIED_OLDER &&
            config_load_snapshot(ctl->applied[i], &problems, &older) == 0 &&
            guards_all_of(c, older))
            (void)unlink(ctl->applied[i]); /* what cannot be taken away comes last all the same */
    }
}

/* Would a reload bring anything back? Not where all that is lost is the copy on a file system that
 * cannot be written. */
static bool reload_helps(const struct ctl *ctl, const struct applied *a)
{
    size_t n = 0;

    return a->complete || guard_copy_compare(a->config, GUARD_GENERATOR_DIR, ctl_unit_dirs(ctl),
                                             count_difference, &n) != 0;
}

static int reload(const struct ctl *ctl)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    char text[SYSTEMD_SAID_MAX];
    _cleanup_bus_ sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r >= 0)
        r = systemd_reload(bus, &error);
    return r >= 0 ? CTL_OK
                  : ctl_fail(ctl, "systemd did not reload: %s", systemd_said(&error, r, text));
}

/* Takes nothing away: what an older file names is for an apply to keep. Where it is in memory alone
 * because it can be nowhere else, apply and check say so. */
static int restore_configuration(const struct ctl *ctl, const struct applied *a)
{
    int of_copy = 0;
    int r = config_restore_applied(a->config, ctl->applied, &of_copy);

    if (r < 0 && a->from == CONFIG_APPLIED_VOLATILE)
        return CTL_OK;
    if (r < 0)
        return ctl_fail(ctl, "cannot write %s: %s: run tenurectl apply",
                        ctl->applied[CONFIG_APPLIED_OWN], strerror(-r));
    if (of_copy < 0)
        ctl_warn(ctl, "%s cannot be written: %s; there is no copy of %s",
                 ctl->applied[CONFIG_APPLIED_COPY], strerror(-of_copy),
                 ctl->applied[CONFIG_APPLIED_OWN]);
    return CTL_OK;
}

/* As much of it as can be written; then the lock is released. in_effect: also what was not
 * lost shall be in effect. */
static int restore(const struct ctl *ctl, const struct applied *a, int *lock, bool in_effect)
{
    size_t n;
    int of_guards = apply_write_guards(ctl, a->config, &n);
    int of_config = a->twice ? CTL_OK : restore_configuration(ctl, a);
    int reloaded = CTL_OK;

    cleanup_close(lock);
    *lock = -1;
    if (n > 0)
        (void)fprintf(ctl->out, "Restored %zu guard%s of what is applied.\n", n, n == 1 ? "" : "s");
    if (n > 0 || (in_effect && reload_helps(ctl, a)))
        reloaded = reload(ctl);
    return of_guards == CTL_OK && of_config == CTL_OK ? reloaded : CTL_FAILED;
}

int apply_restore(const struct ctl *ctl)
{
    struct applied a = {.config = NULL};
    _cleanup_close_ int lock = apply_lock(ctl);

    if (lock < 0) {
        if (lock != -EWOULDBLOCK)
            (void)reload(ctl);
        return apply_lock_status(lock);
    }
    int r = read_applied(ctl, &a);
    if (r < 0) {
        (void)reload(ctl);
        return ctl_fail(ctl, "%s cannot be used, so nothing is restored: run tenurectl apply",
                        ctl->applied[0]);
    }
    r = restore(ctl, &a, &lock, true);
    (void)config_free(a.config);
    return r;
}

int apply_if_missing(const struct ctl *ctl)
{
    struct applied before = {.config = NULL}, now = {.config = NULL};
    int r = read_applied(ctl, &before);

    (void)config_free(before.config);
    if (r == -ENOENT)
        return apply(ctl, &(const struct apply_wishes){.insist = true});
    if (r < 0 || (before.complete && before.remembered && !any_older(ctl)))
        return CTL_OK;

    /* Another apply may have been at work until now. */
    _cleanup_close_ int lock = apply_lock(ctl);
    if (lock < 0)
        return apply_lock_status(lock);
    r = read_applied(ctl, &now);
    if (r == 0 && !now.remembered)
        apply_remember(ctl, now.config);
    bool known = r == 0;
    r = r < 0 || now.complete ? CTL_OK : restore(ctl, &now, &lock, false);
    if (known && r == CTL_OK && access(ctl->applied[CONFIG_APPLIED_OWN], F_OK) == 0)
        remove_older(ctl, now.config);
    (void)config_free(now.config);
    return r;
}
