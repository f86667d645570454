/* SPDX-License-Identifier: Apache-2.0 */
#include "generator/earlier.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "guard/file.h"
#include "guard/text.h"

static int end_earlier(const struct generate_paths *paths, int dir_fd, const struct config_group *g)
{
    _cleanup_free_ char *text = NULL;
    char keeper[UNIT_NAME_LEN_MAX + 1], path[PATH_MAX];
    struct stat st;
    int r = group_earlier_keeper_unit(g->name, keeper, sizeof keeper);

    if (r < 0) /* too long: no keeper ever had that name */
        return r == -ENOENT || r == -ENOBUFS ? 0 : r;
    int n = snprintf(path, sizeof path, "%s/invocation:%s", paths->invocations, keeper);
    if (n < 0 || (size_t)n >= sizeof path || lstat(path, &st) < 0)
        return 0;
    r = guard_earlier_keeper_text(g, &text);
    return r < 0 ? r : guard_file_write(dir_fd, keeper, GUARD_FILE, text);
}

int earlier_keepers_end(const struct generate_paths *paths, int dir_fd,
                        const struct tenure_config *config)
{
    assert(paths);
    assert(config);

    int first = 0;

    for (size_t i = 0; i < config->n_groups; i++) {
        int r = end_earlier(paths, dir_fd, &config->groups[i]);

        if (r < 0 && first == 0)
            first = r;
    }
    return first;
}
