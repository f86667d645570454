/* SPDX-License-Identifier: Apache-2.0 */

/* tenure-generator: run by PID 1 at boot and at every daemon-reload, before any unit is loaded.
 * Reads the applied configuration, and without one what is to be applied; no bus, no network,
 * nothing that could hang. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/notify.h"
#include "generator/generate.h"
#include "guard/copy.h"

/* What this returns. PID 1 only logs it; the removal of the Debian package goes by it. */
enum {
    GENERATED = 0,
    GENERATED_LOCKS = 1, /* for want of an applied configuration */
    WRONG_USE = 2,
    INCOMPLETE = 3, /* not all guards are written */
};

/* One datagram in the journal's own protocol, if it listens; never waits. Returns 0 or negative
 * errno. */
static int log_to_journal(const char *text)
{
    char message[LOG_LINE_MAX + 64];
    struct notifier journal;
    int n =
        snprintf(message, sizeof message,
                 "PRIORITY=%d\nSYSLOG_IDENTIFIER=tenure-generator\nMESSAGE=%s\n", LOG_ERR, text);

    if (n < 0 || (size_t)n >= sizeof message)
        return -EMSGSIZE;
    int r = notify_open(JOURNAL_SOCKET, &journal);
    if (r < 0)
        return r;
    r = notify_send(&journal, message, -1);
    (void)close(journal.fd);
    return r;
}

/* At boot there is no journal yet; what is in the kernel's buffer gets there later. Returns 0 or
 * negative errno. */
static int log_to_kernel(const char *text)
{
    char line[LOG_LINE_MAX + 64];
    int n = snprintf(line, sizeof line, "<%d>tenure-generator: %s\n", LOG_ERR, text);

    if (n < 0 || (size_t)n >= sizeof line)
        return -EMSGSIZE;
    _cleanup_close_ int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    return write(fd, line, (size_t)n) == n ? 0 : -EIO;
}

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    char text[LOG_LINE_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    for (char *p = text; *p; p++) /* one line, one field */
        if ((unsigned char)*p < ' ')
            *p = ' ';
    if (log_to_journal(text) < 0 && log_to_kernel(text) < 0)
        log_error("tenure-generator: %s", text);
}

/* Of the file that should count. */
static const char *first_problem(const struct config_problems *p, char *ret, size_t size)
{
    if (p->n == 0 || strcmp(p->items[0].file, config_applied_files[0]) != 0)
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
        return WRONG_USE;
    }

    const struct generate_paths paths = {
        .applied = config_applied_files,
        .copy_dir = GUARD_COPY_DIR,
        .main_file = CONFIG_MAIN_FILE,
        .groups_dir = CONFIG_GROUPS_DIR,
        .run_dir = TENURE_GROUPS_DIR,
        .invocations = KEEPER_UNITS_DIR,
        .early_dir = argv[2],
    };
    int r = generate(&paths, &problems, &source);
    switch (source) {
    case GENERATE_NOTHING:
    case GENERATE_SNAPSHOT:
    case GENERATE_VOLATILE:
        break;
    case GENERATE_COPY:
        complain("%s cannot be used (%s); taking its copy: run `tenurectl apply`",
                 config_applied_files[0], first_problem(&problems, why, sizeof why));
        break;
    case GENERATE_OLDER:
        complain("an earlier version of tenure has written %s after %s: units that only it names "
                 "cannot start; run `tenurectl apply`",
                 config_applied_files[CONFIG_APPLIED_OLDER], config_applied_files[0]);
        break;
    case GENERATE_LOCK:
        complain("neither %s (%s) nor its copy can be used: no unit that they, or the files below "
                 "/etc/tenure, name can start outside its group's term; %s",
                 config_applied_files[0], first_problem(&problems, why, sizeof why),
                 problems.n == 0 ? "run `tenurectl apply`, as the next start of tenured does"
                                 : "run `tenurectl apply`");
        break;
    }
    if (r < 0) {
        complain("cannot write all guards below %s: %s", argv[2], strerror(-r));
        return INCOMPLETE;
    }
    return source == GENERATE_LOCK ? GENERATED_LOCKS : GENERATED;
}
