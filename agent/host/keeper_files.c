/* SPDX-License-Identifier: Apache-2.0 */
#include "host/keeper_files.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/names.h"
#include "host/small_file.h"

#define PATH_SIZE 512

static int keeper_path(const char *groups_dir, const char *group, const char *file,
                       char ret[static PATH_SIZE])
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, PATH_SIZE, "%s/%s/%s", groups_dir, group, file);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

static ssize_t read_path(const void *path, char *ret, size_t size)
{
    return small_file_read(path, ret, size);
}

int state_load(const char *groups_dir, const char *group, struct ticket *ret)
{
    assert(groups_dir);
    assert(group);
    assert(ret);

    char path[PATH_SIZE], text[TICKET_SIZE_MAX + 1];
    struct ticket t;
    int r = keeper_path(groups_dir, group, KEEPER_STATE_FILE, path);

    if (r < 0)
        return r;
    ssize_t length = read_settled(read_path, path, text, sizeof text);
    if (length < 0)
        return (int)length;
    if ((r = ticket_parse(text, (size_t)length, &t)) < 0)
        return r;
    if (strcmp(t.group, group) != 0)
        return -EBADMSG;
    *ret = t;
    return 0;
}

int datagram_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

int datagram_send(int fd, const char *groups_dir, const char *group,
                  const struct keeper_message *message, size_t length)
{
    assert(groups_dir);
    assert(group);
    assert(message && length <= sizeof *message);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_SIZE];
    int r = keeper_path(groups_dir, group, KEEPER_SOCKET, path);

    if (r < 0)
        return r;
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    /* The keeper asks the kernel who sent it (SO_PASSCRED): nothing to add here. */
    if (sendto(fd, message, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
               sizeof address) < 0)
        return -errno;
    return 0;
}
