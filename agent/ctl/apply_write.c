/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/apply_write.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/snapshot.h"
#include "ctl/agent.h"
#include "ctl/mounts.h"
#include "guard/copy.h"
#include "guard/remember.h"

int apply_write_guards(const struct ctl *ctl, const struct tenure_config *c, size_t *ret_written)
{
    struct guard_copy copy;
    int r = guard_copy_write(c, ctl->copy_dir, ctl_unit_dirs(ctl), &copy);

    *ret_written = copy.n_written;
    if (r < 0)
        return ctl_fail(ctl, "cannot write the guards to %s: %s; " STAYS, ctl->copy_dir,
                        strerror(-r));
    if (copy.refused < 0)
        ctl_warn(ctl,
                 "the guards%s%s cannot be written to %s: %s; there is one copy of them only, the "
                 "generator's",
                 copy.refused_unit[0] ? " of " : "", copy.refused_unit, ctl->copy_dir,
                 strerror(-copy.refused));
    if (copy.hidden_unit[0])
        ctl_warn(ctl,
                 "%s/%s.d has mode %04o, so the agent cannot see whether the guards in it are "
                 "there: run chmod a+rx %s/%s.d",
                 ctl->copy_dir, copy.hidden_unit, (unsigned)copy.hidden_mode, ctl->copy_dir,
                 copy.hidden_unit);
    return CTL_OK;
}

/* Says why it cannot be written, by what config_find_place() or config_write_applied() returned. */
static int fail_to_write(const struct ctl *ctl, size_t where, int error, int of_own)
{
    const char *file = ctl->applied[where], *own = ctl->applied[CONFIG_APPLIED_OWN];

    if (where >= CONFIG_APPLIED_OLDER)
        return ctl_fail(
            ctl,
            "%s cannot be written (%s), and %s, of an earlier version, cannot be removed "
            "(%s) and would count after the next boot: make their directories writable, "
            "then apply again; " STAYS,
            own, strerror(-of_own), file, strerror(-error));
    if (where == CONFIG_APPLIED_VOLATILE)
        return ctl_fail(ctl,
                        "cannot write %s: %s; nor %s: %s: make the directory of either writable, "
                        "then apply again; " STAYS,
                        own, strerror(-of_own), file, strerror(-error));
    return ctl_fail(ctl, "cannot write %s: %s%s; " STAYS, own, strerror(-error),
                    error == -EROFS || error == -EACCES || error == -EPERM
                        ? ": make its directory writable, then apply again"
                        : "");
}

static bool is_writable(const char *dir)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/.", dir);

    return n > 0 && (size_t)n < sizeof path && access(path, W_OK) == 0;
}

/* What is in memory alone is forgotten with the next boot; by then only guards on the disk keep a
 * unit from starting that no file names any more. */
static int check_kept(const struct ctl *ctl, const struct config_kept *k, int of_own)
{
    char group[GROUP_NAME_MAX + 1];

    for (size_t i = 0; i < k->n_units; i++)
        if (guard_copy_find(ctl->copy_dir, k->units[i], group) < 0 && !is_writable(ctl->copy_dir))
            return ctl_fail(
                ctl,
                "%s cannot be written: %s, and %s, which left group \"%s\", could start "
                "here after the next boot: make its directory writable; or, when no "
                "other host runs what left it, run tenurectl apply --release %s; "
                "nothing is changed: " STAYS,
                ctl->applied[CONFIG_APPLIED_OWN], strerror(-of_own), k->units[i], k->name, k->name);
    return CTL_OK;
}

int apply_check_place(const struct ctl *ctl, const struct plan *p)
{
    size_t where;
    int of_own, r = config_find_place(ctl->applied, &where, &of_own);

    if (r < 0)
        return fail_to_write(ctl, where, r, of_own);
    r = CTL_OK;
    for (size_t i = 0; where == CONFIG_APPLIED_VOLATILE && i < p->after->n_kept && r == CTL_OK; i++)
        r = check_kept(ctl, &p->after->kept[i], of_own);
    return r;
}

static int write_configuration(const struct ctl *ctl, const struct tenure_config *c)
{
    const char *own = ctl->applied[CONFIG_APPLIED_OWN];
    size_t where = CONFIG_APPLIED_OWN;
    int error = 0;
    int r = config_write_applied(c, ctl->applied, &where, &error);

    if (r < 0)
        return fail_to_write(ctl, where, r, error);
    if (where == CONFIG_APPLIED_VOLATILE) {
        ctl_warn(ctl,
                 "%s cannot be written: %s; what is applied is in %s, until this host boots, and "
                 "applied again by the agent's next start",
                 own, strerror(-error), ctl->applied[where]);
        (void)ctl_warn_declared_late(ctl);
    } else if (error < 0)
        ctl_warn(ctl, "%s cannot be written: %s; there is no copy of %s",
                 ctl->applied[CONFIG_APPLIED_COPY], strerror(-error), own);
    return CTL_OK;
}

void apply_remember(const struct ctl *ctl, const struct tenure_config *c)
{
    int r = guard_remember(c, ctl->remember_dir, ctl_unit_dirs(ctl));

    if (r < 0)
        ctl_warn(ctl,
                 "cannot write %s: %s; what runs without leadership can be stopped by name only as "
                 "long as its guards are there",
                 ctl->remember_dir, strerror(-r));
}

int apply_write(const struct ctl *ctl, sd_bus *bus, const struct plan *p)
{
    size_t n;

    /* Guards first: until the rest is written too they are of use, and prevent nothing. */
    if (apply_write_guards(ctl, p->after, &n) != CTL_OK ||
        write_configuration(ctl, p->after) != CTL_OK) {
        (void)agent_reload(bus, NULL);
        return CTL_FAILED;
    }
    ctl_warn_mounted_late(ctl);
    apply_remember(ctl, p->after);
    /* All of it is dead by now, and free by the operator's word. */
    int r = guard_copy_prune(p->after, ctl->copy_dir, ctl_unit_dirs(ctl));
    if (r < 0)
        ctl_warn(ctl,
                 "cannot remove all guards of what was released from %s: %s; its units cannot be "
                 "started here until they are removed",
                 ctl->copy_dir, strerror(-r));
    return CTL_OK;
}
