/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/announce.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "ctl/password.h"
#include "ctl/systemd.h"

/* Of the groups that are to be stepped down from, those whose keepers live. */
struct led {
    const struct plan *plan;
    bool *here; /* as many as plan->retire */
    bool any;
};

static void note_keeper(void *userdata, const char *group, const char *active_state)
{
    struct led *led = userdata;

    (void)active_state;
    for (size_t i = 0; i < led->plan->n_retire; i++)
        if (strcmp(led->plan->retire[i], group) == 0)
            led->here[i] = led->any = true;
}

static bool is_renamed(const struct plan *p)
{
    return p->before && strcmp(p->before->node, p->after->node) != 0;
}

static const char *why_it_steps_down(const struct plan *p, const char *group)
{
    if (is_renamed(p))
        return "the node has another name";
    if (!config_find_group(p->after, group))
        return "it is removed";
    return p->before ? "its units, method or fence change, or its stop_timeout grows"
                     : "what is applied cannot be read";
}

static void print_units(const struct ctl *ctl, const struct config_group *g)
{
    for (size_t i = 0; i < g->n_units; i++)
        (void)fprintf(ctl->out, " %s", g->units[i]);
}

static void print_span(const struct ctl *ctl, const char *what, usec_t before, usec_t after)
{
    char t[2][SPAN_FORMAT_MAX];

    if (before != after)
        (void)fprintf(ctl->out, " %s %s instead of %s,", what,
                      format_span(after, t[0], sizeof t[0]),
                      format_span(before, t[1], sizeof t[1]));
}

static void print_budget(const struct ctl *ctl, const struct config_group *before,
                         const struct config_group *after)
{
    print_span(ctl, "lease", before->budget.lease, after->budget.lease);
    print_span(ctl, "stop_timeout", before->budget.stop, after->budget.stop);
    if ((before->watchdog > 0) != (after->watchdog > 0))
        (void)fprintf(ctl->out, " a hardware watchdog is %srequired,",
                      after->watchdog > 0 ? "" : "no longer ");
}

static void print_kind(const struct ctl *ctl, const struct config_group *before,
                       const struct config_group *after)
{
    if (before->method != after->method)
        (void)fprintf(ctl->out, " method %s instead of %s,", method_name(after->method),
                      method_name(before->method));
    if (before->reboot != after->reboot)
        (void)fprintf(ctl->out, " fence \"" CONFIG_FENCE_REBOOT "\" is %sset,",
                      after->reboot ? "" : "no longer ");
}

/* The stop timeout of a term never changes; its lease may. */
static const char *budget_counts_from(const struct config_group *before,
                                      const struct config_group *after)
{
    bool lease = before->budget.lease != after->budget.lease;
    bool other = before->budget.stop != after->budget.stop || before->watchdog != after->watchdog;

    if (lease && other)
        return " the lease from the next renewal on, the rest from its next term on";
    return lease ? " from the next renewal on" : " from its next term on";
}

static void print_difference(const struct ctl *ctl, const struct config_difference *d)
{
    const char *name = d->after ? d->after->name : d->before->name;
    char lease[SPAN_FORMAT_MAX];

    assert(d->after || d->change == CONFIG_REMOVED);
    assert(d->before || d->change == CONFIG_ADDED);

    switch (d->change) {
    case CONFIG_UNCHANGED:
        return;
    case CONFIG_ADDED:
        (void)fprintf(ctl->out, "New group \"%s\":", name);
        print_units(ctl, d->after);
        (void)fprintf(
            ctl->out,
            "\n  What of it runs here stops now. It is led, here or on another host, when "
            "its lease was watched for %s if nobody has led it yet.\n",
            format_span(d->after->budget.lease, lease, sizeof lease));
        return;
    case CONFIG_REMOVED:
        (void)fprintf(ctl->out,
                      "Group \"%s\" is removed: its units stop, and stay guarded here until "
                      "tenurectl apply --release %s\n",
                      name, name);
        return;
    case CONFIG_CHANGED_BUDGET:
        (void)fprintf(ctl->out, "Group \"%s\":", name);
        print_budget(ctl, d->before, d->after);
        (void)fprintf(ctl->out, "%s; a term that runs is not disturbed\n",
                      budget_counts_from(d->before, d->after));
        return;
    case CONFIG_CHANGED_UNITS:
        (void)fprintf(ctl->out, "Group \"%s\":", name);
        print_budget(ctl, d->before, d->after);
        print_kind(ctl, d->before, d->after);
        (void)fputs(" now with the units", ctl->out);
        print_units(ctl, d->after);
        (void)fputs(", at once\n", ctl->out);
        return;
    }
}

static int print_differences(const struct ctl *ctl, const struct plan *p, bool *ret_any)
{
    _cleanup_free_ struct config_difference *list = NULL;
    size_t n;

    if (config_diff(p->before, p->after, &list, &n) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        print_difference(ctl, &list[i]);
        *ret_any = *ret_any || list[i].change != CONFIG_UNCHANGED;
    }
    return 0;
}

/* Returns whether it has printed anything. */
static bool print_node(const struct ctl *ctl, const struct plan *p)
{
    bool renamed = is_renamed(p);
    bool moved = p->before && strcmp(p->before->arbiter.conninfo, p->after->arbiter.conninfo) != 0;
    bool sync = p->before && p->before->arbiter.require_sync != p->after->arbiter.require_sync;

    bool allowed =
        p->before && p->before->arbiter.allow_unverified != p->after->arbiter.allow_unverified;
    bool judged = p->before && p->before->arbiter.unjudged && !p->after->arbiter.unjudged &&
                  ctl_exposes_password(&p->before->arbiter);

    if (renamed)
        (void)fprintf(ctl->out, "The node is \"%s\", and was \"%s\".\n", p->after->node,
                      p->before->node);
    if (moved)
        (void)fputs("The arbiter has another connection string: the agent connects by it at once, "
                    "and what it leads goes on if that is the same database.\n",
                    ctl->out);
    if (sync)
        (void)fprintf(ctl->out, "require_sync is %s, at once.\n",
                      p->after->arbiter.require_sync ? "true" : "false");
    if (allowed)
        (void)fprintf(ctl->out, "allow_unverified is %s, at once.\n",
                      p->after->arbiter.allow_unverified ? "true" : "false");
    else if (judged)
        (void)fputs("The arbiter was applied without it: from now on the agent protects "
                    "its password (tenure.conf(5), Who answers). It connects again at once.\n",
                    ctl->out);
    return renamed || moved || sync || allowed || judged;
}

int announce(const struct ctl *ctl, const struct plan *p, sd_bus *bus, bool only_if_led)
{
    assert(ctl);
    assert(p);

    _cleanup_free_ bool *here = calloc(p->n_retire + 1, sizeof *here);
    struct led led = {.plan = p, .here = here};
    bool any = false;

    if (!here)
        return -ENOMEM;
    int r = systemd_each_keeper(bus, note_keeper, &led);
    if (r < 0)
        return r;
    if (only_if_led && !led.any)
        return 0;
    for (size_t i = 0; i < p->n_retire; i++) {
        (void)fprintf(ctl->out, "Steps down from group \"%s\" first%s: %s.\n", p->retire[i],
                      here[i] ? ", which this host leads" : "", why_it_steps_down(p, p->retire[i]));
        any = true;
    }
    any = print_node(ctl, p) || any;
    r = print_differences(ctl, p, &any);
    if (!any)
        (void)fputs("Nothing changes.\n", ctl->out);
    return r;
}
