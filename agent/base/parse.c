/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define USEC_PER_WEEK (7 * USEC_PER_DAY)

int parse_u64(const char *s, uint64_t *ret)
{
    assert(ret);

    uint64_t value = 0;

    if (!s || !*s)
        return -EINVAL;
    for (const char *p = s; *p; p++) {
        if (*p < '0' || *p > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return -ERANGE;
    }
    *ret = value;
    return 0;
}

static const struct {
    const char *name;
    usec_t usec;
} span_units[] = {
    {"usec", 1},
    {"us", 1},
    {"msec", USEC_PER_MSEC},
    {"ms", USEC_PER_MSEC},
    {"seconds", USEC_PER_SEC},
    {"second", USEC_PER_SEC},
    {"sec", USEC_PER_SEC},
    {"s", USEC_PER_SEC},
    {"minutes", USEC_PER_MINUTE},
    {"minute", USEC_PER_MINUTE},
    {"min", USEC_PER_MINUTE},
    {"m", USEC_PER_MINUTE},
    {"hours", USEC_PER_HOUR},
    {"hour", USEC_PER_HOUR},
    {"hr", USEC_PER_HOUR},
    {"h", USEC_PER_HOUR},
    {"days", USEC_PER_DAY},
    {"day", USEC_PER_DAY},
    {"d", USEC_PER_DAY},
    {"weeks", USEC_PER_WEEK},
    {"week", USEC_PER_WEEK},
    {"w", USEC_PER_WEEK},
};

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* One unit name at *p, or seconds when there is none. */
static int take_unit(const char **p, usec_t *ret)
{
    size_t length = strspn(*p, "abcdefghijklmnopqrstuvwxyz");

    if (length == 0) {
        *ret = USEC_PER_SEC;
        return 0;
    }
    for (size_t i = 0; i < sizeof span_units / sizeof span_units[0]; i++)
        if (strlen(span_units[i].name) == length && strncmp(span_units[i].name, *p, length) == 0) {
            *ret = span_units[i].usec;
            *p += length;
            return 0;
        }
    return -EINVAL;
}

/* Digits of a fraction, worth unit/10, unit/100 … each. */
static usec_t take_fraction(const char **p, usec_t unit)
{
    usec_t sum = 0, worth = unit / 10;

    for (; **p >= '0' && **p <= '9'; (*p)++, worth /= 10)
        sum += worth * (usec_t)(**p - '0');
    return sum;
}

/* One "NUMBER[.FRACTION] [UNIT]" at *p, added to *sum. */
static int take_term(const char **p, usec_t *sum)
{
    usec_t whole = 0, unit;
    const char *start = *p;

    for (; **p >= '0' && **p <= '9'; (*p)++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (usec_t)(**p - '0'), &whole))
            return -ERANGE;
    if (*p == start)
        return -EINVAL;

    const char *fraction = NULL;
    if (**p == '.') {
        fraction = ++*p;
        *p += strspn(*p, "0123456789");
        if (*p == fraction)
            return -EINVAL;
    }
    *p = skip_blanks(*p);

    int r = take_unit(p, &unit);
    if (r < 0)
        return r;
    if (__builtin_mul_overflow(whole, unit, &whole) || __builtin_add_overflow(*sum, whole, sum))
        return -ERANGE;
    if (fraction && __builtin_add_overflow(*sum, take_fraction(&fraction, unit), sum))
        return -ERANGE;
    return 0;
}

int parse_span(const char *s, usec_t *ret)
{
    assert(ret);

    usec_t sum = 0;
    const char *p;

    if (!s)
        return -EINVAL;
    p = skip_blanks(s);
    if (!*p)
        return -EINVAL;
    while (*p) {
        int r = take_term(&p, &sum);

        if (r < 0)
            return r;
        p = skip_blanks(p);
    }
    if (sum == USEC_INFINITY)
        return -ERANGE;
    *ret = sum;
    return 0;
}

const char *format_span(usec_t span, char *ret, size_t size)
{
    assert(ret);
    assert(size >= SPAN_FORMAT_MAX);

    usec_t minutes = span / USEC_PER_MINUTE;
    usec_t rest = span % USEC_PER_MINUTE;
    usec_t milliseconds = rest % USEC_PER_SEC / USEC_PER_MSEC;
    int n = 0;

    if (span == USEC_INFINITY)
        (void)snprintf(ret, size, "infinity");
    else if (span == 0)
        (void)snprintf(ret, size, "0");
    else if (span < USEC_PER_MSEC)
        (void)snprintf(ret, size, "%" PRIu64 "us", span);
    else if (span < USEC_PER_SEC)
        (void)snprintf(ret, size, "%" PRIu64 "ms", span / USEC_PER_MSEC);
    else {
        if (minutes > 0)
            n = snprintf(ret, size, "%" PRIu64 "min", minutes);
        if (milliseconds > 0)
            (void)snprintf(ret + n, size - (size_t)n, "%s%" PRIu64 ".%03" PRIu64 "s", n ? " " : "",
                           rest / USEC_PER_SEC, milliseconds);
        else if (rest >= USEC_PER_SEC)
            (void)snprintf(ret + n, size - (size_t)n, "%s%" PRIu64 "s", n ? " " : "",
                           rest / USEC_PER_SEC);
    }
    return ret;
}
