/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/names.h"

#define DIR_NAME_SIZE (UNIT_NAME_LEN_MAX + 1 + sizeof ".d")

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        length -= (size_t)n;
    }
    return 0;
}

int guard_file_write(int dir_fd, const char *unit, const char *file, const char *text)
{
    assert(unit);
    assert(file);
    assert(text);

    char dir[DIR_NAME_SIZE], path[DIR_NAME_SIZE + 64];
    int n = snprintf(dir, sizeof dir, "%s.d", unit);

    if (n < 0 || (size_t)n >= sizeof dir)
        return -ENAMETOOLONG;
    if (mkdirat(dir_fd, dir, 0755) < 0 && errno != EEXIST)
        return -errno;
    n = snprintf(path, sizeof path, "%s/%s", dir, file);
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    _cleanup_close_ int fd =
        openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd < 0 ? -errno : write_all(fd, text, strlen(text));
}
