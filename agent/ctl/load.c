/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/load.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "arbiter/conninfo.h"
#include "config/load.h"

/* By the very code that will use it: what is refused, is refused before anything is changed. */
static void check_conninfo(const struct tenure_config *c, struct config_problems *problems)
{
    char text[ARBITER_TEXT_MAX] = "out of memory";
    struct conninfo *parsed = NULL;

    if (conninfo_new(c->arbiter.conninfo, &parsed, text) < 0)
        config_problem_add(problems, c->arbiter.file, c->arbiter.line,
                           "%s (not shown, it may hold a password); write something like "
                           "\"host=pg1,pg2 dbname=tenure user=tenure\"",
                           text);
    (void)conninfo_free(parsed);
}

static void warn_ignored(void *userdata, const char *file)
{
    ctl_warn(userdata, "%s is not read: names of files end in .conf there", file);
}

int ctl_load(const struct ctl *ctl, const struct config_paths *paths, struct tenure_config **ret)
{
    assert(ctl);
    assert(paths);
    assert(ret);

    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_config_ struct tenure_config *config = NULL;
    int r = config_load(paths, &problems, &config);

    if (r == 0)
        check_conninfo(config, &problems);
    if (config_each_ignored(paths->groups_dir, warn_ignored, (void *)(uintptr_t)ctl) == -ENOMEM)
        return ctl_fail(ctl, "out of memory");
    ctl_print_problems(ctl, &problems);
    if (r == -ENOMEM || problems.out_of_memory)
        return ctl_fail(ctl, "out of memory");
    if (r < 0 || problems.n > 0)
        return ctl_fail(ctl, "%zu problem%s", problems.n + problems.n_more,
                        problems.n + problems.n_more == 1 ? "" : "s");
    *ret = TAKE_PTR(config);
    return 0;
}
