/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/report.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

static const char *const words[] = {
    [VERDICT_GOOD] = "ok",
    [VERDICT_WARNING] = "warning",
    [VERDICT_BAD] = "BAD",
    [VERDICT_UNKNOWN] = "unknown",
};

void report_line(struct report *r, enum verdict verdict, const char *what, const char *format, ...)
{
    assert(r);
    assert(what);

    va_list ap;

    r->n[verdict]++;
    (void)fprintf(r->f, "%-8s %-10s ", words[verdict], what);
    va_start(ap, format);
    (void)vfprintf(r->f, format, ap);
    va_end(ap);
    (void)fputc('\n', r->f);
}

enum ctl_status report_status(const struct report *r)
{
    assert(r);

    if (r->n[VERDICT_BAD] > 0)
        return CTL_CHECK_BAD;
    if (r->n[VERDICT_UNKNOWN] > 0)
        return CTL_CHECK_UNKNOWN;
    return r->n[VERDICT_WARNING] > 0 ? CTL_CHECK_WARNING : CTL_OK;
}

const char *report_sum(const struct report *r, char *ret, size_t size)
{
    assert(r);
    assert(ret);

    static const struct {
        enum verdict verdict;
        const char *text;
    } parts[] = {
        {VERDICT_BAD, "would keep the agent from leading"},
        {VERDICT_UNKNOWN, "could not be checked"},
        {VERDICT_WARNING, "should be mended"},
    };
    size_t used = 0;

    (void)snprintf(ret, size, "all is well");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t n = r->n[parts[i].verdict];

        if (n > 0 && used < size)
            used += (size_t)snprintf(ret + used, size - used, "%s%zu %s", used > 0 ? ", " : "", n,
                                     parts[i].text);
    }
    return ret;
}
