/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/names.h"

#define DIR_NAME_SIZE (UNIT_NAME_LEN_MAX + 1 + sizeof ".d")

static int directory_name(const char *unit, char ret[static DIR_NAME_SIZE])
{
    int n = snprintf(ret, DIR_NAME_SIZE, "%s.d", unit);

    return n < 0 || (size_t)n >= DIR_NAME_SIZE ? -ENAMETOOLONG : 0;
}

int guard_file_make_directory(int dir_fd, const char *unit)
{
    assert(unit);

    char name[DIR_NAME_SIZE];
    int r = directory_name(unit, name);

    if (r < 0)
        return r;
    if (mkdirat(dir_fd, name, 0755) == 0)
        return 1;
    return errno == EEXIST ? 0 : -errno;
}

int guard_file_open_directory(int dir_fd, const char *unit)
{
    assert(unit);

    char name[DIR_NAME_SIZE];
    int r = directory_name(unit, name);

    if (r < 0)
        return r;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int write_staged(int drop_ins_fd, const char *text)
{
    _cleanup_close_ int fd = openat(drop_ins_fd, GUARD_FILE_STAGED,
                                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0)
        return -errno;
    int r = write_all(fd, text, strlen(text));
    return r == 0 && fchmod(fd, 0644) < 0 ? -errno : r; /* whatever the umask is */
}

int guard_file_stage(int drop_ins_fd, const char *text)
{
    assert(text);

    int r = write_staged(drop_ins_fd, text);
    if (r == -EEXIST) { /* an earlier writer was interrupted */
        if (unlinkat(drop_ins_fd, GUARD_FILE_STAGED, 0) < 0)
            return -errno;
        r = write_staged(drop_ins_fd, text);
    }
    if (r < 0)
        (void)unlinkat(drop_ins_fd, GUARD_FILE_STAGED, 0);
    return r;
}

int guard_file_publish(int drop_ins_fd, const char *file)
{
    assert(file);
    return renameat(drop_ins_fd, GUARD_FILE_STAGED, drop_ins_fd, file) < 0 ? -errno : 0;
}

int guard_file_write(int dir_fd, const char *unit, const char *file, const char *text)
{
    assert(unit);

    int r = guard_file_make_directory(dir_fd, unit);

    if (r < 0)
        return r;
    _cleanup_close_ int drop_ins = guard_file_open_directory(dir_fd, unit);
    if (drop_ins < 0)
        return drop_ins;
    r = guard_file_stage(drop_ins, text);
    if (r == 0)
        r = guard_file_publish(drop_ins, file);
    if (r < 0)
        (void)unlinkat(drop_ins, GUARD_FILE_STAGED, 0);
    return r;
}
