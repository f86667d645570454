/* SPDX-License-Identifier: Apache-2.0 */
#include "socket.h"

#include <check.h>
#include <string.h>

struct sockaddr_un socket_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    (void)strcpy(address.sun_path, path);
    return address;
}

int socket_bind_datagrams(const char *path, int flags)
{
    struct sockaddr_un address = socket_address(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}
