/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define PATH_SIZE 512
#define CGROUP_STAT_MAX 4096
#define STATE_READS_MAX 3

/* A ticket bears the group's escaped name, as the keeper's unit file knows it … */
static int ticket_path(const char *tickets_dir, const char *group, char ret[static PATH_SIZE])
{
    char instance[GROUP_INSTANCE_MAX + 1];
    int r = group_instance(group, instance, sizeof instance);

    if (r < 0)
        return r;
    int n = snprintf(ret, PATH_SIZE, "%s/%s", tickets_dir, instance);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

/* … and the keeper's directory the plain one: systemd 257 cannot make one with a backslash. */
static int keeper_path(const char *groups_dir, const char *group, const char *file,
                       char ret[static PATH_SIZE])
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, PATH_SIZE, "%s/%s/%s", groups_dir, group, file);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

static int write_all(int fd, const char *text, size_t length)
{
    ssize_t n = write(fd, text, length);

    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EIO;
}

int ticket_publish(const char *tickets_dir, const struct ticket *t)
{
    assert(tickets_dir);
    assert(t);

    char text[TICKET_SIZE_MAX], path[PATH_SIZE], self[64];
    int length = ticket_format(t, text, sizeof text);
    int r;

    if (length < 0)
        return length;
    if ((r = ticket_path(tickets_dir, t->group, path)) < 0)
        return r;
    /* Without a name until it is complete: a keeper never sees half of it, and an agent that dies
     * here leaves nothing behind. */
    _cleanup_close_ int fd = open(tickets_dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if ((r = write_all(fd, text, (size_t)length)) < 0)
        return r;
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    return 0;
}

int ticket_withdraw(const char *tickets_dir, const char *group)
{
    assert(tickets_dir);
    assert(group);

    char path[PATH_SIZE];
    int r = ticket_path(tickets_dir, group, path);

    if (r < 0)
        return r;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int tickets_clear(const char *tickets_dir)
{
    assert(tickets_dir);

    DIR *dir = opendir(tickets_dir);
    int r = 0;

    if (!dir)
        return -errno;
    for (;;) {
        errno = 0; /* an error must not pass for the end: tickets behind it would be left */
        const struct dirent *entry = readdir(dir);

        if (!entry) {
            r = errno ? -errno : r;
            break;
        }
        if (entry->d_type != DT_DIR && unlinkat(dirfd(dir), entry->d_name, 0) < 0 &&
            errno != ENOENT)
            r = -errno;
    }
    (void)closedir(dir);
    return r;
}

/* A whole small file; -E2BIG when it does not fit. Returns the length. */
static ssize_t read_file(const char *path, char *ret, size_t size)
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

int state_load(const char *groups_dir, const char *group, struct ticket *ret)
{
    assert(groups_dir);
    assert(group);
    assert(ret);

    char path[PATH_SIZE], text[2][TICKET_SIZE_MAX + 1];
    ssize_t length[2] = {-1, -1};
    int r = keeper_path(groups_dir, group, KEEPER_STATE_FILE, path);

    if (r < 0)
        return r;
    /* The keeper rewrites its deadline in place: two equal readings hold no half of another. */
    for (size_t i = 0; i < STATE_READS_MAX; i++) {
        size_t now = i % 2;

        length[now] = read_file(path, text[now], sizeof text[now]);
        if (length[now] < 0)
            return (int)length[now];
        if (i > 0 && length[0] == length[1] && memcmp(text[0], text[1], (size_t)length[0]) == 0)
            break;
    }
    struct ticket t;
    if ((r = ticket_parse(text[0], (size_t)length[0], &t)) < 0)
        return r;
    if (strcmp(t.group, group) != 0)
        return -EBADMSG;
    *ret = t;
    return 0;
}

int cgroup_stat_parse(const char *text, uint64_t *ret)
{
    static const char key[] = "nr_descendants ";
    const char *p = text;

    assert(text);
    assert(ret);
    while (strncmp(p, key, strlen(key)) != 0) {
        p = strchr(p, '\n');
        if (!p)
            return -EBADMSG;
        p++;
    }
    p += strlen(key);

    char number[24];
    size_t length = strcspn(p, "\n");
    if (length >= sizeof number)
        return -EBADMSG;
    memcpy(number, p, length);
    number[length] = '\0';
    return parse_u64(number, ret) < 0 ? -EBADMSG : 0;
}

int slice_look(const char *cgroup_root, const char *group, bool *ret_empty)
{
    assert(cgroup_root);
    assert(group);
    assert(ret_empty);

    char slice[UNIT_NAME_LEN_MAX + 32], path[PATH_SIZE], text[CGROUP_STAT_MAX];
    uint64_t descendants;
    int r = group_slice_cgroup(group, slice, sizeof slice);

    if (r < 0)
        return r;
    r = snprintf(path, sizeof path, "%s/%s/cgroup.stat", cgroup_root, slice);
    if (r < 0 || r >= PATH_SIZE)
        return -ENAMETOOLONG;
    ssize_t n = read_file(path, text, sizeof text);
    /* ENODEV: removed between open and read. */
    if (n == -ENOENT || n == -ENODEV) {
        *ret_empty = true;
        return 0;
    }
    if (n < 0)
        return (int)n;
    text[n] = '\0';
    if ((r = cgroup_stat_parse(text, &descendants)) < 0)
        return r;
    *ret_empty = descendants == 0;
    return 0;
}

int datagram_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

int datagram_send(int fd, const char *groups_dir, const char *group,
                  const struct keeper_message *message)
{
    assert(groups_dir);
    assert(group);
    assert(message);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_SIZE];
    int r = keeper_path(groups_dir, group, KEEPER_SOCKET, path);

    if (r < 0)
        return r;
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    /* The keeper asks the kernel who sent it (SO_PASSCRED): nothing to add here. */
    if (sendto(fd, message, sizeof *message, MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return 0;
}
