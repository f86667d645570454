/* SPDX-License-Identifier: Apache-2.0 */
#include "remove.h"

#include <ftw.h>
#include <stdio.h>

#define OPEN_AT_ONCE 8

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int remove_one_below(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return at->level > 0 ? remove_one(path, st, type, at) : 0;
}

int remove_tree(const char *path)
{
    return nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS);
}

int remove_below(const char *path)
{
    return nftw(path, remove_one_below, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS);
}
