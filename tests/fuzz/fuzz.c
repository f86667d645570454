/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/remove.h"

#define PATHS 16

static char directory[64];

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    assert(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

char *fuzz_line(char **text)
{
    char *line = *text && **text ? strsep(text, "\n") : NULL;

    return line;
}

char *fuzz_word(char **line)
{
    static char nothing[1];
    char *word = NULL;

    while (*line && (!word || !*word))
        word = strsep(line, " ");
    return word ? word : nothing;
}

int64_t fuzz_number(char **line)
{
    return strtoll(fuzz_word(line), NULL, 0); /* saturates */
}

void fuzz_parts(char *text, char *ret[static FUZZ_PARTS_MAX])
{
    size_t n = 0;

    memset(ret, 0, FUZZ_PARTS_MAX * sizeof *ret);
    for (char *part = text; part && n < FUZZ_PARTS_MAX; n++) {
        char *end = strncmp(part, "%%\n", 3) == 0 ? part : strstr(part, "\n%%\n");

        ret[n] = part;
        if (!end)
            break;
        part = end == part && *end == '%' ? end + 3 : end + 4;
        end[*end == '\n'] = '\0';
    }
}

void fuzz_directory_clear(void)
{
    int r = remove_below(fuzz_directory());

    assert(r == 0);
}

static void remove_directory(void)
{
    (void)remove_tree(directory);
}

const char *fuzz_directory(void)
{
    if (directory[0])
        return directory;
    /* Snapshots are synced: on a disk that would be all there is to measure. tests/fuzz/run gives a
     * place of its own, to clean up after a crash. */
    const char *place = getenv("TMPDIR");
    if (!place)
        place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(directory, sizeof directory, "%s/tenure-fuzz.XXXXXX", place);
    if (!mkdtemp(directory)) {
        perror(directory);
        exit(1);
    }
    (void)atexit(remove_directory);
    return directory;
}

const char *fuzz_path(const char *name)
{
    static char paths[PATHS][FUZZ_PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % PATHS];

    (void)snprintf(path, FUZZ_PATH_MAX, "%s/%s", fuzz_directory(), name);
    return path;
}

void fuzz_file(const char *name, const char *text, size_t length)
{
    const char *path = fuzz_path(name);

    if (!text) {
        int r = unlink(path);

        assert(r == 0 || errno == ENOENT);
        return;
    }
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0);
    ssize_t n = write(fd, text, length);
    assert(n == (ssize_t)length);
}
