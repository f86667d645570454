/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "ctl/ctl.h"

/* Polls come up to a tenth early, never late; a tenth is room for a host that is busy. */
#define POLL_ROOM_DIVISOR 10

/* From the leader's last breath until another asks its keeper to start, with an arbiter that
 * answers in time: the last renewal is seen by a poll, unchanged for L, and then claimed. */
static usec_t takeover_bound(const struct budget *b)
{
    return b->lease + b->poll + b->poll / POLL_ROOM_DIVISOR + 2 * b->request;
}

static int name_width(const struct tenure_config *c)
{
    size_t width = strlen("GROUP");

    for (size_t i = 0; i < c->n_groups; i++)
        if (strlen(c->groups[i].name) > width)
            width = strlen(c->groups[i].name);
    return (int)width;
}

static const char *span(usec_t usec, char ret[static SPAN_FORMAT_MAX])
{
    return format_span(usec, ret, SPAN_FORMAT_MAX);
}

static void print_budgets(const struct ctl *ctl, const struct tenure_config *c)
{
    int width = name_width(c);

    (void)fprintf(ctl->out, "node %s, %zu group%s\n", c->node, c->n_groups,
                  c->n_groups == 1 ? "" : "s");
    if (c->n_groups == 0)
        return;
    (void)fprintf(ctl->out, "\n%-*s  %-8s %-8s %-8s %-8s %-8s %-10s %s\n", width, "GROUP",
                  "LEASE L", "STOP S", "KILL K", "RENEW D", "POLL p", "TAKEOVER", "UNITS");
    for (size_t i = 0; i < c->n_groups; i++) {
        const struct config_group *g = &c->groups[i];
        const struct budget *b = &g->budget;
        char t[6][SPAN_FORMAT_MAX];

        (void)fprintf(ctl->out, "%-*s  %-8s %-8s %-8s %-8s %-8s %-10s", width, g->name,
                      span(b->lease, t[0]), span(b->stop, t[1]), span(b->kill, t[2]),
                      span(b->duration, t[3]), span(b->poll, t[4]), span(takeover_bound(b), t[5]));
        for (size_t k = 0; k < g->n_units; k++)
            (void)fprintf(ctl->out, " %s", g->units[k]);
        (void)fputc('\n', ctl->out);
    }
    (void)fputs("\nD: how long a renewal makes a leader. Without a further one its units get "
                "SIGTERM at D,\nSIGKILL at D + S, and are gone at D + S + K, before L is over. "
                "TAKEOVER: at the latest another\nhost starts the units, after the leader's last "
                "renewal and with a database that answers.\n",
                ctl->out);
}

/* groups.d beside the file; for free(3). */
static char *groups_dir_beside(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *dir;

    if (asprintf(&dir, "%.*sgroups.d", slash ? (int)(slash - file) + 1 : 0, file) < 0)
        return NULL;
    return dir;
}

int verb_check(const struct ctl *ctl, int argc, char *argv[])
{
    _cleanup_config_ struct tenure_config *config = NULL;
    _cleanup_free_ char *dir = NULL;
    struct config_paths paths = ctl->paths;
    int r = ctl_options(ctl, argc, argv, NULL, NULL);

    if (r != 0)
        return r - 1;
    if (argc - optind > 1)
        return ctl_usage(ctl, "check takes one file at most: tenurectl check [FILE]");
    if (optind < argc) {
        dir = groups_dir_beside(argv[optind]);
        if (!dir)
            return ctl_fail(ctl, "out of memory");
        paths.main_file = argv[optind];
        paths.groups_dir = dir;
    }
    r = ctl_load(ctl, &paths, &config);
    if (r != 0)
        return r;
    print_budgets(ctl, config);
    return CTL_OK;
}
