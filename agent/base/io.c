/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

int write_all(int fd, const void *bytes, size_t n)
{
    assert(bytes || n == 0);

    for (const char *p = bytes; n > 0;) {
        ssize_t written = write(fd, p, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        p += written;
        n -= (size_t)written;
    }
    return 0;
}
