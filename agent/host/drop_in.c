/* SPDX-License-Identifier: Apache-2.0 */
#include "host/drop_in.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/guard.h"

#define PATH_SIZE 512

int drop_in_find(const char *dir, const char *unit, bool *ret_there)
{
    assert(dir);
    assert(unit);
    assert(ret_there);

    char path[PATH_SIZE];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s.d/" GUARD_FILE, dir, unit);

    if (n < 0 || n >= PATH_SIZE)
        return -ENAMETOOLONG;
    *ret_there = false;
    if (lstat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    *ret_there = S_ISREG(st.st_mode) && st.st_size > 0;
    return 0;
}
