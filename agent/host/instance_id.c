/* SPDX-License-Identifier: Apache-2.0 */
#include "host/instance_id.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ID_FILE "id"
#define ID_FILE_NEW "id.new"
#define HOST_FILE "host"
#define HOST_FILE_NEW "host.new"
#define LOCK_FILE "lock"

/* What distinguishes hosts, and boots, and containers on one kernel, which share its boot id. A
 * virtual machine that was copied with its memory has the same of all three: no id that it keeps
 * itself helps there. */
enum ingredient {
    INGREDIENT_MACHINE,
    INGREDIENT_BOOT,
    INGREDIENT_CONTAINER,
    INGREDIENTS,
};
#define INGREDIENT_MAX 63

struct ingredients {
    char value[INGREDIENTS][INGREDIENT_MAX + 1]; /* "": not known */
};

static bool id_valid(const char *id, size_t length)
{
    return length == INSTANCE_ID_LEN && strspn(id, "0123456789abcdef") == INSTANCE_ID_LEN;
}

/* Returns 0; -ENOENT when there is none, or none that is whole. */
static int id_read(int dir_fd, char ret[static INSTANCE_ID_LEN + 1])
{
    char text[INSTANCE_ID_LEN + 3] = "";
    _cleanup_close_ int fd = openat(dir_fd, ID_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n < 0)
        return -errno;
    if (n != INSTANCE_ID_LEN + 1 || text[INSTANCE_ID_LEN] != '\n')
        return -ENOENT;
    text[INSTANCE_ID_LEN] = '\0';
    if (!id_valid(text, strlen(text)))
        return -ENOENT;
    memcpy(ret, text, sizeof text[0] * (INSTANCE_ID_LEN + 1));
    return 0;
}

/* A new id is always safe: records of the old one have no owner then, and their leases expire. */
static int id_make(int dir_fd, char ret[static INSTANCE_ID_LEN + 1])
{
    uint8_t bytes[INSTANCE_ID_LEN / 2];
    char text[INSTANCE_ID_LEN + 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    text[INSTANCE_ID_LEN] = '\n';
    text[INSTANCE_ID_LEN + 1] = '\0';

    _cleanup_close_ int fd =
        openat(dir_fd, ID_FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    if (write(fd, text, INSTANCE_ID_LEN + 1) != INSTANCE_ID_LEN + 1)
        return -EIO;
    if (renameat(dir_fd, ID_FILE_NEW, dir_fd, ID_FILE) < 0)
        return -errno;
    memcpy(ret, text, INSTANCE_ID_LEN);
    ret[INSTANCE_ID_LEN] = '\0';
    return 0;
}

/* ---- what it is bound to ---- */

/* The first line, as far as it fits; if it cannot be read nothing is known, and nothing concluded.
 */
static void read_line(int dir_fd, const char *path, char ret[static INGREDIENT_MAX + 1])
{
    _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, INGREDIENT_MAX);

    ret[n > 0 ? n : 0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

static void read_link(int dir_fd, const char *path, char ret[static INGREDIENT_MAX + 1])
{
    ssize_t n = readlinkat(dir_fd, path, ret, INGREDIENT_MAX);

    ret[n > 0 ? n : 0] = '\0';
}

static void ingredients_read(int root_fd, struct ingredients *ret)
{
    read_line(root_fd, "etc/machine-id", ret->value[INGREDIENT_MACHINE]);
    read_line(root_fd, "proc/sys/kernel/random/boot_id", ret->value[INGREDIENT_BOOT]);
    read_link(root_fd, "proc/self/ns/pid", ret->value[INGREDIENT_CONTAINER]);
}

/* A line for each, as it was when the id was made, or when an agent that knows this file first saw
 * the id. */
static void host_read(int dir_fd, struct ingredients *ret)
{
    char text[INGREDIENTS * (INGREDIENT_MAX + 1) + 1] = "", *rest = text;
    _cleanup_close_ int fd = openat(dir_fd, HOST_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    text[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < INGREDIENTS; i++) {
        const char *line = strsep(&rest, "\n");

        (void)snprintf(ret->value[i], sizeof ret->value[i], "%s", line ? line : "");
    }
}

static int host_write(int dir_fd, const struct ingredients *here)
{
    _cleanup_close_ int fd =
        openat(dir_fd, HOST_FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    int length = 0;

    if (fd < 0)
        return -errno;
    for (int i = 0; i < INGREDIENTS; i++)
        length = dprintf(fd, "%s\n", here->value[i]) < 0 ? -1 : length;
    if (length < 0)
        return -EIO;
    return renameat(dir_fd, HOST_FILE_NEW, dir_fd, HOST_FILE) < 0 ? -errno : 0;
}

/* What is not known on one of both sides is no difference. */
static bool same_host(const struct ingredients *a, const struct ingredients *b)
{
    for (int i = 0; i < INGREDIENTS; i++)
        if (a->value[i][0] && b->value[i][0] && strcmp(a->value[i], b->value[i]) != 0)
            return false;
    return true;
}

/* What cannot be read this time is taken as it was. */
static void remember(struct ingredients *here, const struct ingredients *there)
{
    for (int i = 0; i < INGREDIENTS; i++)
        if (!here->value[i][0])
            memcpy(here->value[i], there->value[i], sizeof here->value[i]);
}

/* The id that is there, if it was made here; else a new one. It comes first, and what it is bound
 * to after it: by an agent that is killed in between, another one is made. */
static int id_take(int dir_fd, int root_fd, char ret[static INSTANCE_ID_LEN + 1])
{
    struct ingredients here, there;

    ingredients_read(root_fd, &here);
    host_read(dir_fd, &there);
    int r = id_read(dir_fd, ret);
    if (r == -ENOENT || (r >= 0 && !same_host(&here, &there)))
        r = id_make(dir_fd, ret);
    else
        remember(&here, &there);
    return r < 0 ? r : host_write(dir_fd, &here);
}

int instance_id_in(const char *dir, const char *root, char ret[static INSTANCE_ID_LEN + 1],
                   int *ret_lock_fd)
{
    assert(dir);
    assert(root);
    assert(ret);
    assert(ret_lock_fd);

    _cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return -errno;
    _cleanup_close_ int lock_fd =
        openat(dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_fd < 0)
        return -errno;
    if (flock(lock_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;

    _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;
    int r = id_take(dir_fd, root_fd, ret);
    if (r < 0)
        return r;
    *ret_lock_fd = take_fd(&lock_fd);
    return 0;
}

int host_instance_id(char ret[static INSTANCE_ID_LEN + 1])
{
    /* Held for the life of the process, on purpose: only its end releases the lock. */
    static int lock_fd = -1;

    if (lock_fd >= 0)
        return -EALREADY;
    return instance_id_in(TENURE_INSTANCE_DIR, "/", ret, &lock_fd);
}
