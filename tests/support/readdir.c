/* SPDX-License-Identifier: Apache-2.0 */
#include "readdir.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static bool fails;
static unsigned left;

void readdir_fails_after(unsigned entries)
{
    fails = true;
    left = entries;
}

struct dirent *readdir(DIR *dirp)
{
    struct dirent *(*real)(DIR *);

    if (fails && left-- == 0) {
        fails = false;
        errno = EIO;
        return NULL;
    }
    /* The name that the headers make of it where files may be large. */
    *(void **)&real = dlsym(RTLD_NEXT, "readdir64");
    return real(dirp);
}
