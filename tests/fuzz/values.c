/* SPDX-License-Identifier: Apache-2.0 */
#include "values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define TYPE_MAX 256
#define DEPTH_MAX 16 /* libsystemd takes more; the stack of a sanitized build does not */

static int append(sd_bus_message *m, const char *types, char **words, unsigned depth);

/* The length of the first complete type; 0: there is none. */
static size_t type_length(const char *types)
{
    size_t n = strspn(types, "a"), open = 0;

    do {
        if (types[n] == '(' || types[n] == '{')
            open++;
        else if (types[n] == ')' || types[n] == '}')
            open -= open > 0;
        else if (!types[n])
            return 0;
        n++;
    } while (open > 0);
    return n < TYPE_MAX ? n : 0;
}

static const char *text_word(char **words)
{
    char *word = fuzz_word(words);

    if (strcmp(word, "\"\"") == 0)
        return "";
    for (char *p = word; (p = strchr(p, '+'));)
        *p = ' ';
    return word;
}

static int append_basic(sd_bus_message *m, char type, char **words)
{
    if (strchr("sog", type)) {
        const char *s = type == 's' ? text_word(words) : fuzz_word(words);

        return sd_bus_message_append_basic(m, type, type == 'o' && !*s ? "/" : s);
    }
    /* Little endian and wide enough for every type; a bool is an int here. */
    uint64_t value = (uint64_t)fuzz_number(words);
    uint32_t truth = value != 0;
    if (!strchr("ybnqiuxtd", type))
        return -EINVAL;
    return sd_bus_message_append_basic(m, type, type == 'b' ? (void *)&truth : (void *)&value);
}

static int append_container(sd_bus_message *m, char type, const char *contents, uint64_t times,
                            char **words, unsigned depth)
{
    int r = sd_bus_message_open_container(m, type, contents);

    for (uint64_t i = 0; i < times && i < VALUES_ELEMENTS_MAX && r >= 0; i++)
        r = append(m, contents, words, depth + 1);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* One complete type. */
static int append_type(sd_bus_message *m, const char *type, size_t length, char **words,
                       unsigned depth)
{
    char contents[TYPE_MAX];

    if (type[0] == 'v') {
        const char *signature = fuzz_word(words);

        return append_container(m, 'v', *signature ? signature : "s", 1, words, depth);
    }
    if (type[0] == 'a') {
        memcpy(contents, type + 1, length - 1);
        contents[length - 1] = '\0';
        return append_container(m, 'a', contents, (uint64_t)fuzz_number(words), words, depth);
    }
    if (type[0] == '(' || type[0] == '{') {
        memcpy(contents, type + 1, length - 2);
        contents[length - 2] = '\0';
        return append_container(m, type[0] == '(' ? 'r' : 'e', contents, 1, words, depth);
    }
    return append_basic(m, type[0], words);
}

static int append(sd_bus_message *m, const char *types, char **words, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return -ELOOP;
    while (*types) {
        size_t length = type_length(types);
        int r = length == 0 || (length < 2 && strchr("a({", *types))
                    ? -EINVAL
                    : append_type(m, types, length, words, depth);

        if (r < 0)
            return r;
        types += length;
    }
    return 0;
}

int values_append(sd_bus_message *m, const char *types, char **words)
{
    return append(m, types, words, 0);
}
