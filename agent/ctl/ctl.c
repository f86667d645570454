/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdarg.h>
#include <syslog.h>

#include "config/trigger.h"

/* As sd-daemon(3) has it: `journalctl -p err` finds it, and `systemctl status` makes it stand out.
 */
static void begin_line(const struct ctl *ctl, int priority)
{
    if (ctl->to_journal)
        (void)fprintf(ctl->err, "<%d>", priority);
}

static void complain(const struct ctl *ctl, int priority, const char *format, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void complain(const struct ctl *ctl, int priority, const char *format, va_list ap)
{
    begin_line(ctl, priority);
    (void)fputs(CTL_PROGRAM ": ", ctl->err);
    (void)vfprintf(ctl->err, format, ap);
    (void)fputc('\n', ctl->err);
}

int ctl_usage(const struct ctl *ctl, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    complain(ctl, LOG_ERR, format, ap);
    va_end(ap);
    return CTL_USAGE;
}

int ctl_fail(const struct ctl *ctl, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    complain(ctl, LOG_ERR, format, ap);
    va_end(ap);
    return CTL_FAILED;
}

int ctl_no_group(const struct ctl *ctl, const char *group)
{
    (void)ctl_fail(
        ctl,
        "there is no group \"%s\" on this host: see `tenurectl status`; a new one is taken "
        "by `sudo tenurectl apply`",
        group);
    return CTL_NO_GROUP;
}

void ctl_warn(const struct ctl *ctl, const char *format, ...)
{
    va_list ap;

    if (ctl->n_warned)
        ++*ctl->n_warned;
    va_start(ap, format);
    complain(ctl, LOG_WARNING, format, ap);
    va_end(ap);
}

const char *const *ctl_unit_dirs(const struct ctl *ctl)
{
    return ctl->paths.unit_dirs ? ctl->paths.unit_dirs : trigger_unit_dirs;
}

void ctl_print_kept(const struct ctl *ctl, const struct tenure_config *c)
{
    for (size_t i = 0; i < c->n_kept; i++) {
        (void)fprintf(ctl->out,
                      "Left group \"%s\", and cannot start here until tenurectl apply "
                      "--release %s:",
                      c->kept[i].name, c->kept[i].name);
        for (size_t k = 0; k < c->kept[i].n_units; k++)
            (void)fprintf(ctl->out, " %s", c->kept[i].units[k]);
        (void)fputc('\n', ctl->out);
    }
}

void ctl_print_problems(const struct ctl *ctl, const struct config_problems *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct config_problem *item = &p->items[i];

        begin_line(ctl, LOG_ERR);
        if (item->line > 0)
            (void)fprintf(ctl->err, "%s:%u: %s\n", item->file, item->line, item->text);
        else
            (void)fprintf(ctl->err, "%s: %s\n", item->file, item->text);
    }
    if (p->n_more > 0)
        (void)fprintf(ctl->err, "… and %zu more\n", p->n_more);
}
