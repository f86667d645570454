/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define ATTRIBUTE_SIZE 32
/* A device's own number of seconds is an unsigned int. */
#define SECONDS_MAX UINT32_MAX

/* Without the line's end; "" when it cannot be read. */
static void read_attribute(int device_fd, const char *name, char ret[static ATTRIBUTE_SIZE])
{
    _cleanup_close_ int fd = openat(device_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, ATTRIBUTE_SIZE - 1);

    ret[n < 0 ? 0 : n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

/* 0: not armed, or not known. */
static usec_t timeout_of(int dir_fd, const char *device)
{
    char state[ATTRIBUTE_SIZE], seconds[ATTRIBUTE_SIZE];
    uint64_t n;
    _cleanup_close_ int fd = openat(dir_fd, device, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    read_attribute(fd, "state", state);
    read_attribute(fd, "timeout", seconds);
    if (strcmp(state, "inactive") == 0 || parse_u64(seconds, &n) < 0 || n > SECONDS_MAX)
        return 0;
    return n * USEC_PER_SEC;
}

usec_t watchdog_device_timeout(const char *dir)
{
    assert(dir);

    usec_t longest = 0;
    DIR *d = opendir(dir);

    if (!d)
        return 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        if (e->d_name[0] != '.')
            longest = usec_max(longest, timeout_of(dirfd(d), e->d_name));
    (void)closedir(d);
    return longest;
}
