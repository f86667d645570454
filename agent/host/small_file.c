/* SPDX-License-Identifier: Apache-2.0 */
#include "host/small_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/ticket.h"

#define READS_MAX 3

ssize_t small_file_read(const char *path, char *ret, size_t size)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    size_t length = 0;

    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t n = read(fd, ret + length, size - length);

        if (n < 0)
            return -errno;
        if (n == 0)
            return (ssize_t)length;
        length += (size_t)n;
        if (length == size)
            return -E2BIG;
    }
}

/* The keeper rewrites its deadline in place, so one reading may hold half of another. */
ssize_t read_settled(small_reader reader, const void *from, char *ret, size_t size)
{
    assert(reader);
    assert(ret);
    assert(size <= TICKET_SIZE_MAX + 1);

    char again[TICKET_SIZE_MAX + 1];
    ssize_t length = reader(from, ret, size);

    for (size_t i = 1; i < READS_MAX && length >= 0; i++) {
        ssize_t n = reader(from, again, size);

        if (n < 0 || (n == length && memcmp(again, ret, (size_t)n) == 0))
            return n;
        memcpy(ret, again, (size_t)n);
        length = n;
    }
    return length < 0 ? length : -EAGAIN;
}
