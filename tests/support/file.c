/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 65536

void file_put(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

const char *file_get(const char *path)
{
    static char text[TEXT_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return NULL;
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ssize_t n = read(fd, text, sizeof text);
    (void)close(fd);
    ck_assert_int_ge(n, 0);
    ck_assert_int_lt(n, sizeof text);
    text[n] = '\0';
    return text;
}
