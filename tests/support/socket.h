/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_SOCKET_H
#define TENURE_TESTS_SUPPORT_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

/* Of a socket in the file system. A path that is too long fails the test. */
struct sockaddr_un socket_address(const char *path);
/* A new socket for datagrams at the path. flags: beside SOCK_CLOEXEC. The caller closes it. */
int socket_bind_datagrams(const char *path, int flags);

#endif
