/* SPDX-License-Identifier: Apache-2.0 */
#include "config/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define READ_STEP 65536

static int check_regular(int fd, size_t max)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return -ENOTSUP;
    return st.st_size < 0 || (size_t)st.st_size > max ? -EFBIG : 0;
}

int file_read(const char *path, size_t max, char **ret)
{
    assert(path);
    assert(ret);

    _cleanup_free_ char *text = NULL;
    size_t n = 0, room = 0;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return -errno;
    int r = check_regular(fd, max);
    if (r < 0)
        return r;

    for (;;) {
        if (room - n < 2) {
            char *more = realloc(text, room += READ_STEP);

            if (!more)
                return -ENOMEM;
            text = more;
        }
        ssize_t got = read(fd, text + n, room - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max) /* it grew */
            return -EFBIG;
    }
    text[n] = '\0';
    if (memchr(text, '\0', n))
        return -EILSEQ;
    *ret = TAKE_PTR(text);
    return 0;
}

void file_names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect_names(DIR *d, const char *suffix, size_t max, char **names, size_t *n)
{
    size_t tail = strlen(suffix);

    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);

        if (!entry)
            return -errno;
        size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || length <= tail ||
            strcmp(entry->d_name + length - tail, suffix) != 0)
            continue;
        if (*n >= max)
            return -E2BIG;
        names[*n] = strdup(entry->d_name);
        if (!names[*n])
            return -ENOMEM;
        (*n)++;
    }
}

int file_names(const char *dir, const char *suffix, size_t max, char ***ret, size_t *ret_n)
{
    assert(ret);
    assert(ret_n);

    size_t n = 0;
    DIR *d = opendir(dir);

    if (!d)
        return -errno;
    char **names = calloc(max, sizeof *names);
    int r = names ? collect_names(d, suffix, max, names, &n) : -ENOMEM;

    (void)closedir(d);
    if (r < 0) {
        file_names_free(names, n);
        return r;
    }
    qsort(names, n, sizeof *names, compare_names);
    *ret = names;
    *ret_n = n;
    return 0;
}
