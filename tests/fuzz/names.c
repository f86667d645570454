/* SPDX-License-Identifier: Apache-2.0 */
/* Names, numbers, durations and texts: one string, through every function that takes one. */
#include <assert.h>
#include <errno.h>
#include <iconv.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "base/parse.h"
#include "base/text.h"
#include "config/unit_name.h"
#include "fuzz.h"

static void number(const char *s)
{
    uint64_t value = 77;
    int r = parse_u64(s, &value);

    errno = 0;
    if (r == 0) {
        assert(strtoull(s, NULL, 10) == value && errno == 0);
        assert(strspn(s, "0123456789") == strlen(s));
    } else
        assert(value == 77 && (r == -EINVAL || r == -ERANGE));
}

static void span(const char *s)
{
    char text[SPAN_FORMAT_MAX];
    usec_t value = 77, again = 0;

    if (parse_span(s, &value) < 0) {
        assert(value == 77);
        return;
    }
    assert(value != USEC_INFINITY);
    assert(value >= strtoull(s, NULL, 10)); /* no unit is less than a microsecond */
    assert(parse_span(format_span(value, text, sizeof text), &again) == 0);
    assert(again <= value && value - again < USEC_PER_MSEC);
    assert(again == value || value > USEC_PER_MSEC);
}

static void group(const char *s)
{
    char name[GROUP_NAME_MAX + 1], escaped[GROUP_ESCAPED_MAX + 1];
    char unit[UNIT_NAME_LEN_MAX + 64];

    assert((group_escaped(s, escaped, sizeof escaped) == 0) == group_name_valid(s));
    if (group_name_valid(s)) {
        assert(!strpbrk(escaped, "-/% \n"));
        assert(group_from_instance(escaped, name, sizeof name) == 0);
        assert(strcmp(name, s) == 0);
        if (group_keeper_unit(s, unit, sizeof unit) == 0)
            assert(unit_name_problem(unit)); /* ours: no group may have it */
    }
    if (group_from_instance(s, name, sizeof name) == 0) {
        assert(group_escaped(name, escaped, sizeof escaped) == 0);
        assert(strcmp(name, s) == 0 || strcmp(escaped, s) == 0);
    }
    if (node_name_valid(s))
        assert(strlen(s) <= NODE_NAME_MAX && !strpbrk(s, "/ \n\"\\"));
}

static void unit(const char *s)
{
    if (unit_name_problem(s))
        return;
    assert(strlen(s) + strlen(".d") <= UNIT_NAME_LEN_MAX);
    assert(!strpbrk(s, "/%\"' \t\n$"));
    assert(*unit_name_suffix(s));
    assert(strcmp(s, ".") != 0 && strcmp(s, "..") != 0);
}

/* libc's judgement. */
static bool is_utf8(const char *s)
{
    iconv_t converter = iconv_open("UTF-32LE", "UTF-8");
    uint32_t out[512];
    char *in = (char *)(uintptr_t)s, *to = (char *)out;
    size_t left = strlen(s), room = sizeof out;

    assert(converter != (iconv_t)-1 && left < 500);
    bool good = iconv(converter, &in, &left, &to, &room) != (size_t)-1;
    (void)iconv_close(converter);
    for (const uint32_t *c = out; good && (const char *)c < to; c++) {
        assert(*c >= ' ' && (*c < 0x7f || *c >= 0xa0));                  /* no control character */
        assert((*c & 0xfffe) != 0xfffe && (*c < 0xfdd0 || *c > 0xfdef)); /* D-Bus takes it */
    }
    return good;
}

static void text(const char *s)
{
    static const size_t sizes[] = {500, 80, 17, 5, 4, 3, 2, 1};
    char whole[500], part[500];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *to = i == 0 ? whole : part;

        assert(text_clean(s, to, sizes[i]) == to);
        assert(strlen(to) < sizes[i] && is_utf8(to));
        assert(strncmp(whole, to, strlen(to)) == 0); /* less of it, but nothing else */
        assert(!strstr(to, "  ") && *to != ' ' && (!*to || to[strlen(to) - 1] != ' '));
    }
    (void)text_clean(whole, part, sizeof part);
    assert(strcmp(whole, part) == 0);
    (void)snprintf(part, sizeof part, "%s", s); /* cut anywhere, and in its own place */
    (void)text_clean(part, part, sizeof part);
    assert(is_utf8(part) && strncmp(whole, part, strlen(part)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *s = fuzz_text(data, size);

    number(s);
    span(s);
    group(s);
    unit(s);
    text(s);
    return 0;
}
