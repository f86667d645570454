/* SPDX-License-Identifier: Apache-2.0 */
/* The kept inputs of a target, one after the other, without a fuzzer: what was found once stays
 * found, with every compiler.
 *
 *     replay_TARGET FILE, DIRECTORY or PACK.tar… */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "pack.h"

static unsigned replayed;

/* The targets that have nothing to set up have none. */
int __attribute__((weak)) LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* Returns NULL when it cannot be read, and says so. Not a byte more than there is, so that a
 * sanitizer sees what reads on. */
static uint8_t *read_file(const char *path, size_t *ret_size)
{
    struct stat st;
    _cleanup_fclose_ FILE *f = fopen(path, "re");

    if (!f || fstat(fileno(f), &st) < 0) {
        perror(path);
        return NULL;
    }
    *ret_size = (size_t)st.st_size;
    _cleanup_free_ uint8_t *data = malloc(*ret_size);
    if (!data || fread(data, 1, *ret_size, f) != *ret_size) {
        (void)fprintf(stderr, "%s cannot be read\n", path);
        return NULL;
    }
    return TAKE_PTR(data);
}

static int replay_file(const char *path)
{
    size_t size = 0;
    _cleanup_free_ uint8_t *data = read_file(path, &size);

    if (!data)
        return 1;
    (void)fprintf(stderr, "%s\n", path); /* before it may crash */
    (void)LLVMFuzzerTestOneInput(data, size);
    replayed++;
    return 0;
}

static int replay_packed(const char *path, const struct pack_input *input)
{
    /* As of a file: a copy of its own, and not a byte more. */
    _cleanup_free_ uint8_t *data = malloc(input->size);

    if (!data) {
        perror(path);
        return 1;
    }
    memcpy(data, input->data, input->size);
    (void)fprintf(stderr, "%s: %s\n", path, input->name); /* before it may crash */
    (void)LLVMFuzzerTestOneInput(data, input->size);
    replayed++;
    return 0;
}

static int replay_pack(const char *path)
{
    struct pack pack = {0};
    struct pack_input input;
    _cleanup_free_ uint8_t *data = read_file(path, &pack.size);
    unsigned before = replayed;
    int r, failed = 0;

    if (!data)
        return 1;
    pack.data = data;
    while ((r = pack_next(&pack, &input)) > 0)
        failed |= replay_packed(path, &input);
    if (r < 0)
        (void)fprintf(stderr, "%s is damaged at byte %zu\n", path, pack.at);
    else if (replayed == before)
        (void)fprintf(stderr, "%s has no inputs\n", path);
    return failed || r < 0 || replayed == before;
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

static bool is_pack(const char *path)
{
    size_t length = strlen(path);

    return length > 4 && strcmp(path + length - 4, ".tar") == 0;
}

int main(int argc, char *argv[])
{
    int failed = 0;

    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        failed |= is_pack(argv[i]) ? replay_pack(argv[i]) : replay_directory(argv[i]);
    (void)printf("replayed %u inputs\n", replayed);
    return failed || replayed == 0;
}
