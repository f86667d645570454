/* SPDX-License-Identifier: Apache-2.0 */
#include "generator/live.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/load.h"
#include "config/trigger.h"
#include "config/unit_name.h"
#include "generator/earlier.h"
#include "guard/copy.h"
#include "guard/each.h"
#include "guard/file.h"
#include "guard/text.h"

struct live {
    const struct generate_paths *paths;
    int dir_fd;
};

static bool is_live(const struct generate_paths *paths, const char *group)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s/" KEEPER_STATE_FILE, paths->run_dir, group);

    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

/* A drop-in of ours would hide what is there. */
static bool has_copy(const struct live *l, const char *unit)
{
    char group[GROUP_NAME_MAX + 1];
    int r = guard_copy_find(l->paths->copy_dir, unit, group);

    return r == 0 ||
           (r != -ENOENT && unit_name_problem(unit)); /* a keeper's drop-in names no group */
}

static int write_guard(void *userdata, const char *unit, const char *text)
{
    const struct live *l = userdata;

    return has_copy(l, unit) ? 0 : guard_file_write(l->dir_fd, unit, GUARD_FILE, text);
}

static int guard_declared(struct live *l, const struct tenure_config *declared)
{
    _cleanup_free_ struct config_group *groups = calloc(declared->n_groups + 1, sizeof *groups);
    struct tenure_config led = {.groups = groups};

    if (!groups)
        return -ENOMEM;
    for (size_t i = 0; i < declared->n_groups; i++)
        if (is_live(l->paths, declared->groups[i].name))
            groups[led.n_groups++] = declared->groups[i];
    int r = guard_each(&led, l->paths->unit_dirs ? l->paths->unit_dirs : trigger_unit_dirs,
                       write_guard, l);
    int earlier = earlier_keepers_end(l->paths, l->dir_fd, declared);
    return r < 0 ? r : earlier;
}

int guard_live(const struct generate_paths *paths, int dir_fd)
{
    assert(paths);

    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_config_ struct tenure_config *declared = NULL;
    const struct config_paths files = {paths->main_file, paths->groups_dir, paths->unit_dirs};
    struct live l = {.paths = paths, .dir_fd = dir_fd};
    int r = config_load(&files, &problems, &declared);

    if (r < 0)
        return r == -ENOMEM ? r : 0;
    return guard_declared(&l, declared);
}
