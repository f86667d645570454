/* SPDX-License-Identifier: Apache-2.0 */
/* Plays every story and compares it with what traces/ keeps.
 *
 *     story FOLDER            says where they differ; exit status 1 then
 *     story --write FOLDER    keeps what they are now
 *     story --show NAME       prints one */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "story.h"

#define PATH_SIZE 4096

/* The whole text of a story; to be freed. */
static char *play(const struct chapter *c)
{
    static struct story s;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert(out);
    story_begin(&s, c, out);
    c->play(&s);
    (void)fclose(out);
    assert(text);
    return text;
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    if (!f)
        return NULL;
    if (getdelim(&text, &size, '\0', f) < 0) {
        free(text);
        text = NULL;
    }
    (void)fclose(f);
    return text;
}

static bool write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return false;

    bool written = fputs(text, f) >= 0;

    return fclose(f) == 0 && written;
}

/* Names the first line that differs. */
static void show_difference(const char *path, const char *is, const char *was)
{
    size_t n = 1, begin = 0, i = 0;

    for (; is[i] && is[i] == was[i]; i++)
        if (is[i] == '\n') {
            n++;
            begin = i + 1;
        }
    (void)printf("%s:%zu: is    %.*s\n", path, n, (int)strcspn(is + begin, "\n"), is + begin);
    (void)printf("%s:%zu: was   %.*s\n", path, n, (int)strcspn(was + begin, "\n"), was + begin);
}

static bool keep_or_compare(const struct chapter *c, const char *folder, bool keep)
{
    char path[PATH_SIZE];
    _cleanup_free_ char *is = play(c), *was = NULL;

    (void)snprintf(path, sizeof path, "%s/%s.txt", folder, c->name);
    if (keep) {
        if (write_file(path, is))
            return true;
        (void)printf("%s: %s\n", path, strerror(errno));
        return false;
    }
    was = read_file(path);
    if (!was) {
        (void)printf("%s: cannot be read\n", path);
        return false;
    }
    if (strcmp(is, was) == 0)
        return true;
    show_difference(path, is, was);
    return false;
}

static int show(const char *name)
{
    for (const struct chapter *c = chapters; c->name; c++)
        if (strcmp(c->name, name) == 0) {
            _cleanup_free_ char *text = play(c);

            (void)fputs(text, stdout);
            return EXIT_SUCCESS;
        }
    (void)fprintf(stderr, "no story is named %s\n", name);
    return 2;
}

int main(int argc, char *argv[])
{
    bool keep = argc == 3 && strcmp(argv[1], "--write") == 0;
    unsigned failed = 0, n = 0;

    if (argc == 3 && strcmp(argv[1], "--show") == 0)
        return show(argv[2]);
    if (argc != 2 && !keep) {
        (void)fprintf(stderr, "usage: story [--write] FOLDER | --show NAME\n");
        return 2;
    }
    for (const struct chapter *c = chapters; c->name; c++, n++)
        if (!keep_or_compare(c, argv[argc - 1], keep))
            failed++;
    (void)printf("%u stories, %u differ\n", n, failed);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
