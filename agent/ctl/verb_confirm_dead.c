/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb_confirm_dead.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "ctl/agent.h"
#include "ctl/options.h"
#include "ctl/systemd.h"

#define YES_OPTION "--yes-"

struct wish {
    const char *node;
    const char *yes; /* the name in --yes-NAME; NULL: it was not given */
    unsigned n_yes;
};

/* Not getopt's, which takes the beginning of an option for the whole: --yes-n1 must not be meant by
 * --yes-n. Takes the option out of argv. */
static int take_yes(int argc, char *argv[], struct wish *w)
{
    int n = 0;

    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], YES_OPTION, strlen(YES_OPTION)) == 0) {
            w->yes = argv[i] + strlen(YES_OPTION);
            w->n_yes++;
        } else
            argv[n++] = argv[i];
    argv[n] = NULL;
    return n;
}

/* Returns 0 to go on, or an exit status + 1. */
static int read_wish(const struct ctl *ctl, int argc, char *argv[], struct wish *w)
{
    argc = take_yes(argc, argv, w);

    int r = ctl_options(ctl, argc, argv, NULL);

    if (r != 0)
        return r;
    if (argc - optind != 1)
        return ctl_usage(ctl, "confirm-dead takes one node: tenurectl confirm-dead NODE") + 1;
    w->node = argv[optind];
    if (!node_name_valid(w->node))
        return ctl_usage(ctl, "\"%s\" is no name of a node", w->node) + 1;
    if (w->n_yes > 1)
        return ctl_usage(ctl, "--yes-NODE is given once, for one node") + 1;
    if (w->yes && strcmp(w->yes, w->node) != 0)
        return ctl_usage(ctl, "--yes-%s does not name the node \"%s\": nothing is done", w->yes,
                         w->node) +
               1;
    if (!w->yes && !ctl->is_person)
        return ctl_usage(ctl,
                         "nobody can be asked here whether \"%s\" is dead: a script that knows it "
                         "says --yes-%s",
                         w->node, w->node) +
               1;
    return 0;
}

/* ---- what it is about ---- */

/* What was seen longer ago than a poll or two says nothing: the node may have renewed since. */
static void print_runs(const struct ctl *ctl, const struct agent_group *g)
{
    usec_t tenth = USEC_PER_SEC / 10;

    if (g->leader_runs == USEC_INFINITY || g->seen > 2 * agent_poll(g))
        (void)fputs("for how long its units may run there is not known", ctl->out);
    else if (g->leader_runs == 0)
        (void)fputs("its units may not run there any more, by what was seen last", ctl->out);
    else {
        usec_t tenths = (g->leader_runs - 1) / tenth + 1; /* rounded up */

        (void)fprintf(ctl->out,
                      "its units may run there for another %" PRIu64 ".%" PRIu64
                      " s at the most, by what was seen last",
                      tenths / 10, tenths % 10);
    }
}

/* What the operator's word delays. */
static void print_claim(const struct ctl *ctl, const struct agent_group *g)
{
    char span[SPAN_FORMAT_MAX];
    usec_t seconds;

    if (g->claims_in == USEC_INFINITY || strcmp(g->role, "standby") != 0)
        return;
    seconds = g->claims_in / USEC_PER_SEC + (g->claims_in % USEC_PER_SEC > 0);
    (void)fprintf(ctl->out, "; this host takes it over by itself in %s",
                  format_span(seconds * USEC_PER_SEC, span, sizeof span));
}

static size_t print_led(const struct ctl *ctl, const struct agent_view *v, const char *node)
{
    size_t n = 0;

    for (size_t i = 0; i < v->n_groups; i++) {
        const struct agent_group *g = &v->groups[i];

        if (strcmp(g->leader, node) != 0)
            continue;
        if (n++ == 0)
            (void)fprintf(ctl->out, "\"%s\" is in the record of:\n", node);
        (void)fprintf(ctl->out, "  %s, term %" PRIu64 ": ", g->name, g->term);
        print_runs(ctl, g);
        print_claim(ctl, g);
        (void)fputc('\n', ctl->out);
    }
    return n;
}

static const char promise[] =
    "By confirming you vouch that nothing of this host's groups runs there any more, and that the "
    "host\n"
    "is off or stays off the network until its agent has learned that it has lost them: see\n"
    "\"confirm-dead\" in tenurectl(8).\n"
    "The records are watched first, for 11 s. Then other hosts wait for a whole lease from its\n"
    "beginning: where one would take over by itself sooner, confirming makes the outage longer.\n";

/* The very name, and nothing else. */
static bool answers_yes(const struct ctl *ctl, const char *node)
{
    char line[NODE_NAME_MAX + 2];

    (void)fprintf(ctl->out, "Type the name of the node to go on: ");
    (void)fflush(ctl->out);
    if (!fgets(line, sizeof line, ctl->in))
        return false;

    size_t length = strcspn(line, "\n");
    line[length] = '\0';
    return strcmp(line, node) == 0;
}

/* ---- doing it ---- */

static void print_done(const struct ctl *ctl, const struct agent_confirmed *c)
{
    (void)fprintf(
        ctl->out,
        "%s: term %" PRIu64 " is nobody's. Another host leads it when its lease of %" PRIu64
        ".%" PRIu64 " s has expired.\n",
        c->group, c->term, c->lease / USEC_PER_SEC, c->lease % USEC_PER_SEC / (USEC_PER_SEC / 10));
    if (c->note[0])
        ctl_warn(ctl, "%s: %s", c->group, c->note);
}

static int print_all_done(const struct ctl *ctl, const char *node,
                          const struct agent_confirmed *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        print_done(ctl, &list[i]);
    if (n == 0)
        (void)fprintf(ctl->out, "Nothing to do: \"%s\" is in no record of this host's groups.\n",
                      node);
    return CTL_OK;
}

/* No answer, or none that can be read, is no refusal: once the agent takes the records, it goes on
 * without its caller, and what it took before it died stays taken. */
static bool is_answered(const sd_bus_error *error, int r)
{
    return sd_bus_error_is_set(error) && r != -ETIMEDOUT && r != -ECONNRESET;
}

static int confirm(const struct ctl *ctl, sd_bus *bus, const char *node)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    struct agent_confirmed *list = NULL;
    size_t n = 0;
    int r = agent_confirm_dead(bus, node, &list, &n, &error);

    const char *why = error.message && *error.message ? error.message : strerror(-r);

    if (r < 0 && !is_answered(&error, r))
        return ctl_fail(ctl,
                        "whether \"%s\" is confirmed dead is not known (%s): see `tenurectl "
                        "status` and `journalctl -u tenured`",
                        node, why);
    if (r < 0)
        return ctl_fail(ctl, "\"%s\" is not confirmed dead: %s", node, why);
    r = print_all_done(ctl, node, list, n);
    agent_confirmed_free(list, n);
    return r;
}

static int go_on(const struct ctl *ctl, sd_bus *bus, const struct agent_view *v,
                 const struct wish *w)
{
    if (strcmp(v->node, w->node) == 0)
        return ctl_fail(ctl,
                        "\"%s\" is this very host: do it on another one, or step down with "
                        "`systemctl stop tenured`",
                        w->node);
    if (!v->connected)
        return ctl_fail(ctl, "the arbiter cannot be reached: %s", v->arbiter);
    /* By the records as they were seen last: whether there is something to do, those say that are
     * read now. */
    if (print_led(ctl, v, w->node) == 0)
        (void)fprintf(ctl->out, "\"%s\" is in no record that this host has seen.\n", w->node);
    (void)fputs(promise, ctl->out);
    if (!w->yes && !answers_yes(ctl, w->node))
        return ctl_fail(ctl, "that is not \"%s\": nothing is done", w->node);
    (void)fflush(ctl->out);
    return confirm(ctl, bus, w->node);
}

int verb_confirm_dead(const struct ctl *ctl, int argc, char *argv[])
{
    _cleanup_bus_ sd_bus *bus = NULL;
    _cleanup_agent_view_ struct agent_view *view = NULL;
    struct wish wish = {.node = ""};
    int r = read_wish(ctl, argc, argv, &wish);

    if (r != 0)
        return r - 1;
    r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = agent_read(bus, &view);
    if (r < 0)
        return ctl_fail(ctl, "cannot ask tenured: %s; see `tenurectl status`",
                        r == -ENXIO ? "it is not on the system bus" : strerror(-r));
    return go_on(ctl, bus, view, &wish);
}
