/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "arbiter/conninfo.h"

#define PROGRAM "tenurectl"

static const char help[] =
    "tenurectl looks at and configures tenure on this host.\n"
    "\n"
    "  status [GROUP] [--json]  who leads what, since when, and why not this host\n"
    "  check [FILE]             all problems of the configuration, each group's time budget\n"
    "  apply [--if-missing]     check, then make the configuration the one that is acted on\n"
    "                           (what `systemctl reload tenured` does)\n"
    "  is-leader GROUP          exit status 0: this host leads; 1: it does not; 3: cannot tell\n"
    "  schema                   the SQL that a DBA reviews and runs in the arbiter's database\n"
    "\n"
    "  --help, --version\n"
    "\n"
    "FILE is the main file, " CONFIG_MAIN_FILE " by default; groups.d/*.conf beside it belong\n"
    "to it. Exit status: 0 done, 1 failed, 2 wrong use. See tenurectl(8).\n";

static const struct {
    const char *name;
    int (*run)(const struct ctl *ctl, int argc, char *argv[]);
} verbs[] = {
    {"status", verb_status}, {"check", verb_check},         {"apply", verb_apply},
    {"schema", verb_schema}, {"is-leader", verb_is_leader},
};

static void complain(const struct ctl *ctl, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void complain(const struct ctl *ctl, const char *format, va_list ap)
{
    (void)fputs(PROGRAM ": ", ctl->err);
    (void)vfprintf(ctl->err, format, ap);
    (void)fputc('\n', ctl->err);
}

int ctl_usage(const struct ctl *ctl, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    complain(ctl, format, ap);
    va_end(ap);
    return CTL_USAGE;
}

int ctl_fail(const struct ctl *ctl, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    complain(ctl, format, ap);
    va_end(ap);
    return CTL_FAILED;
}

/* "-x" or "--xyz" as it was written, for the message. */
static const char *offending(int argc, char *argv[])
{
    return optind > 0 && optind <= argc && argv[optind - 1] ? argv[optind - 1] : "?";
}

int ctl_options(const struct ctl *ctl, int argc, char *argv[], const char *name, bool *flag)
{
    const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {name, no_argument, NULL, 'f'},
        {0},
    };
    int c;

    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'f')
            *flag = true;
        else if (c == 'h') {
            (void)fputs(help, ctl->out);
            return CTL_OK + 1;
        } else if (name)
            return ctl_usage(ctl, "%s has no option \"%s\": there is --%s", argv[0],
                             offending(argc, argv), name) +
                   1;
        else
            return ctl_usage(ctl, "%s has no option \"%s\": it takes none", argv[0],
                             offending(argc, argv)) +
                   1;
    }
    return 0;
}

/* By the very code that will use it: what is refused, is refused before anything is changed. */
static void check_conninfo(const struct tenure_config *c, struct config_problems *problems)
{
    char text[ARBITER_TEXT_MAX] = "out of memory";
    struct conninfo *parsed = NULL;

    if (conninfo_new(c->arbiter.conninfo, &parsed, text) < 0)
        config_problem_add(problems, c->arbiter.file, c->arbiter.line,
                           "%s (not shown, it may hold a password); write something like "
                           "\"host=pg1,pg2 dbname=tenure user=tenure\"",
                           text);
    (void)conninfo_free(parsed);
}

static void print_problems(const struct ctl *ctl, const struct config_problems *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct config_problem *item = &p->items[i];

        if (item->line > 0)
            (void)fprintf(ctl->err, "%s:%u: %s\n", item->file, item->line, item->text);
        else
            (void)fprintf(ctl->err, "%s: %s\n", item->file, item->text);
    }
    if (p->n_more > 0)
        (void)fprintf(ctl->err, "… and %zu more\n", p->n_more);
}

int ctl_load(const struct ctl *ctl, const struct config_paths *paths, struct tenure_config **ret)
{
    assert(ctl);
    assert(paths);
    assert(ret);

    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_config_ struct tenure_config *config = NULL;
    int r = config_load(paths, &problems, &config);

    if (r == 0)
        check_conninfo(config, &problems);
    print_problems(ctl, &problems);
    if (r == -ENOMEM || problems.out_of_memory)
        return ctl_fail(ctl, "out of memory");
    if (r < 0 || problems.n > 0)
        return ctl_fail(ctl, "%zu problem%s", problems.n + problems.n_more,
                        problems.n + problems.n_more == 1 ? "" : "s");
    *ret = TAKE_PTR(config);
    return 0;
}

int ctl_run(const struct ctl *ctl, int argc, char *argv[])
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int c;

    assert(ctl);

    opterr = 0;
    optind = 0;
    while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
        if (c == 'h') {
            (void)fputs(help, ctl->out);
            return CTL_OK;
        }
        if (c == 'V') {
            (void)fputs(PROGRAM " " TENURE_VERSION "\n", ctl->out);
            return CTL_OK;
        }
        return ctl_usage(ctl, "there is no option \"%s\" here: see " PROGRAM " --help",
                         offending(argc, argv));
    }
    if (optind >= argc)
        return ctl_usage(ctl, "what shall be done? status, check, apply, is-leader or schema: see "
                              "" PROGRAM " --help");

    int first = optind;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[first], verbs[i].name) == 0) {
            int status = verbs[i].run(ctl, argc - first, argv + first);

            /* Half an answer must not look like one. */
            if (fflush(ctl->out) != 0 || ferror(ctl->out))
                return ctl_fail(ctl, "cannot write the answer: %s", strerror(errno));
            return status;
        }
    return ctl_usage(ctl,
                     "there is no \"%s\": there are status, check, apply, is-leader and schema",
                     argv[first]);
}
