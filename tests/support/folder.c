/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "remove.h"

#define PATHS 16

static char root[64]; /* of all tests of this run; "" before */
static char current[sizeof root + 16];

void folder_begin(void)
{
    (void)strcpy(root, "/tmp/tenure.XXXXXX");
    /* Other users may have to reach what a test opens to them. */
    if (!mkdtemp(root) || chmod(root, 0711) < 0) {
        perror(root);
        exit(EXIT_FAILURE);
    }
}

void folder_end(void)
{
    if (remove_tree(root) < 0)
        perror(root);
    root[0] = '\0';
}

void folder_make(void)
{
    ck_assert(root[0]);
    /* Short: the path of a socket has to fit behind it. */
    (void)snprintf(current, sizeof current, "%s/XXXXXX", root);
    ck_assert_ptr_nonnull(mkdtemp(current));
}

const char *folder(void)
{
    ck_assert(current[0]);
    return current;
}

const char *in_folder(const char *name)
{
    static char paths[PATHS][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % PATHS];

    ck_assert_int_lt(snprintf(path, PATH_MAX, "%s/%s", folder(), name), PATH_MAX);
    return path;
}

void folder_make_folder(const char *name)
{
    const char *path = in_folder(name);

    ck_assert_msg(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
}

void folder_put(const char *name, const char *text)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s", in_folder(name));
    for (char *p = path + strlen(folder()) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
        *p = '/';
    }
    file_put(path, text);
}

size_t folder_count(const char *name)
{
    const char *path = in_folder(name);
    DIR *dir = opendir(path);
    size_t n = 0;

    ck_assert_msg(dir != NULL, "%s: %s", path, strerror(errno));
    for (struct dirent *e; (e = readdir(dir));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(dir);
    return n;
}
