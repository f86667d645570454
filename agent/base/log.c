/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

static bool asked_for(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value && strcmp(value, "0") != 0;
}

void log_never_wait(void)
{
    int flags = fcntl(STDERR_FILENO, F_GETFL);

    /* Without flags there is no standard error, and nothing to wait for. */
    if (flags >= 0)
        (void)fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
}

void log_line(int priority, const char *format, ...)
{
    int saved_errno = errno;
    char line[LOG_LINE_MAX];
    int n = 0;
    va_list ap;

    if (priority == LOG_DEBUG && !asked_for("TENURE_DEBUG"))
        return;
    if (getenv("JOURNAL_STREAM"))
        n = snprintf(line, sizeof line, "<%d>", priority);

    errno = saved_errno; /* for %m */
    va_start(ap, format);
    if (vsnprintf(line + n, sizeof line - (size_t)n, format, ap) < 0)
        line[n] = '\0';
    va_end(ap);

    /* With room for the newline. */
    (void)text_clean(line + n, line + n, sizeof line - (size_t)n - 1);
    size_t length = strlen(line);
    line[length] = '\n';
    /* There is no place to report to when standard error is gone. */
    ssize_t written = write(STDERR_FILENO, line, length + 1);
    (void)written;
    errno = saved_errno;
}
