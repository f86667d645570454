/* SPDX-License-Identifier: Apache-2.0 */
#include "host/kernel.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/names.h"

int kernel_check_at(const char *cgroup_root, char text[static HOST_TEXT_MAX])
{
    /* The root cgroup has no cgroup.kill; these two are there on every host that systemd runs. */
    static const char *const children[] = {"init.scope", "system.slice"};
    struct statfs fs;
    char path[256];

    if (statfs(cgroup_root, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC) {
        (void)snprintf(text, HOST_TEXT_MAX,
                       "%s is not cgroup v2: tenure kills a group's processes through cgroup.kill "
                       "and does not run without it (boot with "
                       "systemd.unified_cgroup_hierarchy=1)",
                       cgroup_root);
        return -EOPNOTSUPP;
    }
    for (size_t i = 0; i < sizeof children / sizeof children[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s/cgroup.kill", cgroup_root, children[i]);
        if (access(path, F_OK) == 0)
            return 0;
    }
    (void)snprintf(text, HOST_TEXT_MAX, "no cgroup.kill below %s: tenure needs Linux 5.14 or later",
                   cgroup_root);
    return -EOPNOTSUPP;
}

int host_check_kernel(char text[static HOST_TEXT_MAX])
{
    return kernel_check_at(TENURE_CGROUP_ROOT, text);
}
