/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verbs.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "ctl/options.h"
#include "ctl/verb_apply.h"
#include "ctl/verb_check.h"
#include "ctl/verb_confirm_dead.h"
#include "ctl/verb_is_leader.h"
#include "ctl/verb_schema.h"
#include "ctl/verb_status.h"

static const struct {
    const char *name;
    int (*run)(const struct ctl *ctl, int argc, char *argv[]);
} verbs[] = {
    {"status", verb_status}, {"check", verb_check},         {"apply", verb_apply},
    {"schema", verb_schema}, {"is-leader", verb_is_leader}, {"confirm-dead", verb_confirm_dead},
};

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
            ctl_print_help(ctl);
            return CTL_OK;
        }
        if (c == 'V') {
            (void)fputs(CTL_PROGRAM " " TENURE_VERSION "\n", ctl->out);
            return CTL_OK;
        }
        return ctl_usage(ctl, "there is no option \"%s\" here: see " CTL_PROGRAM " --help",
                         ctl_offending_option(argc, argv));
    }
    if (optind >= argc)
        return ctl_usage(ctl,
                         "what shall be done? status, check, apply, is-leader, confirm-dead or "
                         "schema: see " CTL_PROGRAM " --help");

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
