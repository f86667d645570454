/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

int notify_open(const char *socket_name, struct notifier *ret)
{
    assert(ret);

    struct notifier n = {.fd = -1, .address.sun_family = AF_UNIX};

    if (!socket_name || !*socket_name)
        return -ENOENT;
    size_t length = strlen(socket_name);
    if ((*socket_name != '/' && *socket_name != '@') || length < 2 ||
        length >= sizeof n.address.sun_path)
        return -EINVAL;

    memcpy(n.address.sun_path, socket_name, length);
    n.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (*socket_name == '@')
        n.address.sun_path[0] = '\0'; /* abstract: the length ends the name */
    else
        n.length++;

    n.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n.fd < 0)
        return -errno;
    *ret = n;
    return 0;
}

int notify_connect(struct notifier *n)
{
    assert(n);

    if (connect(n->fd, (const struct sockaddr *)&n->address, n->length) < 0)
        return -errno;
    n->length = 0; /* no message needs the address any more */
    return 0;
}

int notify_send(const struct notifier *n, const char *text, int pass_fd)
{
    assert(n);
    assert(text);

    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};
    struct sockaddr_un address = n->address;
    struct msghdr m = {
        .msg_name = n->length > 0 ? &address : NULL,
        .msg_namelen = n->length,
        .msg_iov = &iov,
        .msg_iovlen = 1,
    };

    if (pass_fd >= 0) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof pass_fd);
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
    }
    /* A datagram is sent as a whole or not at all. */
    return sendmsg(n->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
