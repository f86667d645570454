/* SPDX-License-Identifier: Apache-2.0 */

/* tenure-generator: run by PID 1 at boot and at every daemon-reload, before any unit is loaded.
 * Reads the applied configuration alone; no bus, no network, nothing that could hang. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "generator/generate.h"

/* There may be no journal yet: the kernel's buffer is where a generator's messages survive. */
static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    char text[LOG_LINE_MAX], line[LOG_LINE_MAX + 32];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    log_error("tenure-generator: %s", text);

    _cleanup_close_ int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return;
    int n = snprintf(line, sizeof line, "<%d>tenure-generator: %s\n", LOG_ERR, text);
    ssize_t written = write(fd, line, n < 0 ? 0 : (size_t)n);
    (void)written; /* nobody is left to tell */
}

static const char *first_problem(const struct config_problems *p, char *ret, size_t size)
{
    if (p->n == 0)
        (void)snprintf(ret, size, "it is missing");
    else if (p->items[0].line > 0)
        (void)snprintf(ret, size, "line %u: %s", p->items[0].line, p->items[0].text);
    else
        (void)snprintf(ret, size, "it %s", p->items[0].text);
    return ret;
}

int main(int argc, char *argv[])
{
    _cleanup_problems_ struct config_problems problems = {0};
    enum generate_source source;
    char why[512];

    if (argc != 4) {
        log_error("tenure-generator: takes three directories, as systemd.generator(7) says");
        return 2;
    }

    int r = generate(CONFIG_SNAPSHOT_FILE, argv[2], &problems, &source);
    switch (source) {
    case GENERATE_NOTHING:
    case GENERATE_SNAPSHOT:
        break;
    case GENERATE_COPY:
        complain("%s cannot be used (%s); taking its copy: run `tenurectl apply`",
                 CONFIG_SNAPSHOT_FILE, first_problem(&problems, why, sizeof why));
        break;
    case GENERATE_LOCK:
        complain("neither %s (%s) nor its copy can be used: no unit they name can start; run "
                 "`tenurectl apply`",
                 CONFIG_SNAPSHOT_FILE, first_problem(&problems, why, sizeof why));
        break;
    }
    if (r < 0)
        complain("cannot write all guards below %s: %s", argv[2], strerror(-r));
    return r < 0 || source == GENERATE_LOCK ? 1 : 0;
}
