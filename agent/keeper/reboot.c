/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/reboot.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the PID namespace that the kernel starts with: <linux/nsfs.h> says so from Linux 6.16 on, and
 * it has never been another. */
#define FIRST_PID_NAMESPACE_INODE 0xEFFFFFFCu

const char *reboot_sysrq_trigger(void)
{
    struct stat st;

    if (stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != FIRST_PID_NAMESPACE_INODE)
        return NULL;
    return "/proc/sysrq-trigger";
}

int reboot_host(bool really)
{
    /* The kernel checks the permission before the magic numbers. */
    long r = really ? reboot(RB_AUTOBOOT) : syscall(SYS_reboot, 0, 0, 0, NULL);

    if (r >= 0)
        return 0;
    return !really && errno == EINVAL ? 0 : -errno;
}

int reboot_keep_right(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        [CAP_TO_INDEX(CAP_SYS_BOOT)] = {.effective = CAP_TO_MASK(CAP_SYS_BOOT),
                                        .permitted = CAP_TO_MASK(CAP_SYS_BOOT)},
    };

    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}
