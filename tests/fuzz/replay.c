/* SPDX-License-Identifier: Apache-2.0 */
/* The kept inputs of a target, one after the other, without a fuzzer: what was found once stays
 * found, with every compiler.
 *
 *     replay_TARGET FILE-OR-DIRECTORY… */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fuzz.h"

static unsigned replayed;

/* The targets that have nothing to set up have none. */
int __attribute__((weak)) LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static int replay_file(const char *path)
{
    struct stat st;
    _cleanup_fclose_ FILE *f = fopen(path, "re");

    if (!f || fstat(fileno(f), &st) < 0) {
        perror(path);
        return 1;
    }
    size_t size = (size_t)st.st_size;
    /* Not a byte more, so that a sanitizer sees what reads on. */
    _cleanup_free_ uint8_t *data = malloc(size);
    if ((size > 0 && !data) || fread(data, 1, size, f) != size) {
        (void)fprintf(stderr, "%s cannot be read\n", path);
        return 1;
    }
    (void)fprintf(stderr, "%s\n", path); /* before it may crash */
    (void)LLVMFuzzerTestOneInput(data, size);
    replayed++;
    return 0;
}

static int replay_directory(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort), failed = 0;

    if (n < 0)
        return replay_file(path);
    for (int i = 0; i < n; i++) {
        char file[4096];

        if (entries[i]->d_name[0] != '.') {
            (void)snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
            failed |= replay_file(file);
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char *argv[])
{
    int failed = 0;

    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        failed |= replay_directory(argv[i]);
    (void)printf("replayed %u inputs\n", replayed);
    return failed || replayed == 0;
}
