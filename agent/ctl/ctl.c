/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <syslog.h>

#include "arbiter/conninfo.h"
#include "config/trigger.h"

#define PROGRAM "tenurectl"

static const char help[] =
    "tenurectl looks at and configures tenure on this host.\n"
    "\n"
    "  status [GROUP] [--json]  who leads what, since when, and why not this host\n"
    "  check [FILE]             all problems of the configuration, each group's time budget, and\n"
    "                           whether arbiter, systemd, polkit and clock would do\n"
    "      --offline            the files alone\n"
    "  apply                    check, then make the configuration the one that is acted on\n"
    "                           (what `systemctl reload tenured` does)\n"
    "      --dry-run            only say what would come of it\n"
    "      --force              also if its arbiter does not answer and the present one does\n"
    "      --release GROUP      no other host runs what left this group: it may start here again\n"
    "      --if-missing         only if nothing is applied; else write again what got lost of it\n"
    "      --restore            apply nothing; write again what got lost of what is applied, and\n"
    "                           have systemd reload\n"
    "  is-leader GROUP          exit status 0: this host leads; 1: it does not; 3: cannot tell;\n"
    "                           4: there is no such group on this host\n"
    "  confirm-dead NODE        vouch that a node is dead, where no host takes over what it led "
    "by\n"
    "                           itself; where one would, it makes the outage longer\n"
    "      --yes-NODE           do not ask: NODE is that very name, for a script\n"
    "  schema                   the SQL that a DBA reviews and runs in the arbiter's database\n"
    "\n"
    "  --help, --version\n"
    "\n"
    "FILE is the main file, " CONFIG_MAIN_FILE " by default; groups.d/*.conf beside it belong\n"
    "to it. Exit status: 0 done, 1 failed, 2 wrong use; of status also 3 no agent runs here,\n"
    "4 no such group, 5 the agent cannot be reached; of check 1 warnings, 2 something would keep\n"
    "the agent from leading, 3 something could not be looked at. See tenurectl(8).\n";

static const struct {
    const char *name;
    int (*run)(const struct ctl *ctl, int argc, char *argv[]);
} verbs[] = {
    {"status", verb_status}, {"check", verb_check},         {"apply", verb_apply},
    {"schema", verb_schema}, {"is-leader", verb_is_leader}, {"confirm-dead", verb_confirm_dead},
};

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
    (void)fputs(PROGRAM ": ", ctl->err);
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

/* "-x" or "--xyz" as it was written, for the message. */
static const char *offending(int argc, char *argv[])
{
    return optind > 0 && optind <= argc && argv[optind - 1] ? argv[optind - 1] : "?";
}

#define OPTIONS_MAX 8

static int wrong_option(const struct ctl *ctl, int argc, char *argv[],
                        const struct ctl_option options[])
{
    char known[256] = "";

    for (size_t i = 0; options && options[i].name; i++)
        (void)snprintf(known + strlen(known), sizeof known - strlen(known), "%s--%s%s",
                       i == 0 ? "" : ", ", options[i].name, options[i].flag ? "" : " VALUE");
    return ctl_usage(ctl, "%s has no option \"%s\": %s%s", argv[0], offending(argc, argv),
                     known[0] ? "there is " : "it takes none", known);
}

/* Takes what getopt found. Returns false if it is one value too many. */
static bool take_option(const struct ctl_option *o)
{
    if (o->flag) {
        *o->flag = true;
        return true;
    }
    if (*o->n_values >= o->room)
        return false;
    o->values[(*o->n_values)++] = optarg;
    return true;
}

int ctl_options(const struct ctl *ctl, int argc, char *argv[], const struct ctl_option options[])
{
    struct option list[OPTIONS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
    int c, n = 0;

    for (; options && options[n].name; n++) {
        assert(n < OPTIONS_MAX);
        list[n + 1] = (struct option){
            options[n].name, options[n].flag ? no_argument : required_argument, NULL, 256 + n};
    }
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((c = getopt_long(argc, argv, "h", list, NULL)) != -1) {
        if (c == 'h') {
            (void)fputs(help, ctl->out);
            return CTL_OK + 1;
        }
        if (c < 256 || c >= 256 + n || !take_option(&options[c - 256]))
            return wrong_option(ctl, argc, argv, options) + 1;
    }
    return 0;
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

enum arbiter_password ctl_password(const struct config_arbiter *a)
{
    assert(a);
    if (a->unjudged)
        return PASSWORD_AS_BEFORE;
    return a->allow_unverified ? PASSWORD_ANYHOW : PASSWORD_PROTECTED;
}

/* One that cannot be taken apart is refused for that. */
static bool ask_conninfo(const struct config_arbiter *a, bool (*ask)(const struct conninfo *c))
{
    char text[ARBITER_TEXT_MAX];
    struct conninfo *c = NULL;

    if (conninfo_new(a->conninfo, &c, text) < 0)
        return false;
    c->password = ctl_password(a);
    bool answer = ask(c);
    (void)conninfo_free(c);
    return answer;
}

bool ctl_exposes_password(const struct config_arbiter *a)
{
    assert(a);
    return ask_conninfo(a, conninfo_exposes);
}

bool ctl_names_password(const struct config_arbiter *a)
{
    assert(a);
    return ask_conninfo(a, conninfo_names_password);
}

bool ctl_needs_protection(const struct config_arbiter *a)
{
    assert(a);
    return ask_conninfo(a, conninfo_needs_protection);
}

bool ctl_may_need_protection(const struct config_arbiter *a)
{
    assert(a);
    return ask_conninfo(a, conninfo_may_need_protection);
}

void ctl_print_exposed(const struct ctl *ctl, const struct config_arbiter *a)
{
    struct config_problems problems = {0};

    config_problem_add(&problems, a->file, a->line,
                       "the password would go in clear text to whoever answers and asks for it so: "
                       "write sslmode=verify-full and sslrootcert= into conninfo, or at least "
                       "sslmode=require, and neither require_auth= nor channel_binding= that "
                       "allows it; or allow_unverified = true; beside conninfo, if it shall");
    ctl_print_problems(ctl, &problems);
    config_problems_clear(&problems);
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

static void warn_ignored(void *userdata, const char *file)
{
    ctl_warn(userdata, "%s is not read: names of files end in .conf there", file);
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
    if (config_each_ignored(paths->groups_dir, warn_ignored, (void *)(uintptr_t)ctl) == -ENOMEM)
        return ctl_fail(ctl, "out of memory");
    ctl_print_problems(ctl, &problems);
    if (r == -ENOMEM || problems.out_of_memory)
        return ctl_fail(ctl, "out of memory");
    if (r < 0 || problems.n > 0)
        return ctl_fail(ctl, "%zu problem%s", problems.n + problems.n_more,
                        problems.n + problems.n_more == 1 ? "" : "s");
    *ret = TAKE_PTR(config);
    return 0;
}

/* libpq's: root's own shell is not where the agent runs. */
static void forget_libpq_variables(void)
{
    char name[64];

    for (char **e = environ; e && *e;) {
        size_t length = strcspn(*e, "=");

        if (strncmp(*e, "PG", 2) != 0 || length >= sizeof name) {
            e++;
            continue;
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)length, *e);
        if (unsetenv(name) < 0)
            return;
        e = environ; /* which has moved */
    }
}

/* Half an answer must not look like one; what keeps the agent from leading is worse still. */
static int status_without_answer(const char *verb, int status)
{
    if (strcmp(verb, "check") != 0)
        return CTL_FAILED;
    return status == CTL_CHECK_BAD ? CTL_CHECK_BAD : CTL_CHECK_UNKNOWN;
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

    forget_libpq_variables();
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
        return ctl_usage(ctl,
                         "what shall be done? status, check, apply, is-leader, confirm-dead or "
                         "schema: see " PROGRAM " --help");

    int first = optind;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[first], verbs[i].name) == 0) {
            int status = verbs[i].run(ctl, argc - first, argv + first);

            if (fflush(ctl->out) == 0 && !ferror(ctl->out))
                return status;
            (void)ctl_fail(ctl, "cannot write the answer: %s", strerror(errno));
            return status_without_answer(verbs[i].name, status);
        }
    return ctl_usage(ctl,
                     "there is no \"%s\": there are status, check, apply, is-leader, confirm-dead "
                     "and schema",
                     argv[first]);
}
