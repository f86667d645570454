/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/configure.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/load.h"
#include "daemon/group.h"
#include "daemon/tick.h"

static void text_of(const struct config_problems *problems, char ret[static REASON_MAX])
{
    const struct config_problem *p = problems->n > 0 ? &problems->items[0] : NULL;

    if (!p)
        (void)snprintf(ret, REASON_MAX, "out of memory");
    else if (problems->n == 1)
        (void)snprintf(ret, REASON_MAX, "%s:%u: %s", p->file, p->line, p->text);
    else
        (void)snprintf(ret, REASON_MAX, "%s:%u: %s (and %zu more)", p->file, p->line, p->text,
                       problems->n - 1);
}

/* What is applied; or the copy of it that the generator, too, would fall back on. Returns 0;
 * -ENOENT: nothing is applied; -EBADMSG. text then says why. */
static int load(const char *const applied[], struct tenure_config **ret,
                char text[static REASON_MAX])
{
    _cleanup_problems_ struct config_problems problems = {0};
    size_t from = 0;
    int r = config_load_applied(applied, &problems, ret, &from);

    if (r == -ENOENT)
        (void)snprintf(text, REASON_MAX, "no configuration is applied");
    else if (r < 0 || problems.n > 0)
        text_of(&problems, text);
    else if (from != CONFIG_APPLIED_OWN)
        (void)snprintf(text, REASON_MAX, "%s", strerror(ENOENT));
    /* The volatile copy is there because no other can be: apply and check say so. */
    if (r == 0 && from != CONFIG_APPLIED_OWN && from != CONFIG_APPLIED_VOLATILE)
        log_warning("%s cannot be used, so %s is: %s", applied[0], applied[from], text);
    return r == 0 || r == -ENOENT ? r : -EBADMSG;
}

static void make_owner(struct daemon *d, const char *node)
{
    (void)snprintf(d->owner, sizeof d->owner, "%s/%s", node, d->instance);
}

static enum arbiter_password password_of(const struct config_arbiter *a)
{
    if (a->unjudged)
        return PASSWORD_AS_BEFORE;
    return a->allow_unverified ? PASSWORD_ANYHOW : PASSWORD_PROTECTED;
}

static int make_arbiter(struct daemon *d, const struct tenure_config *c, const char *owner,
                        struct arbiter **ret, char text[static REASON_MAX])
{
    char why[ARBITER_TEXT_MAX] = "";
    int r = arbiter_postgresql_new(d->event, c->arbiter.conninfo, password_of(&c->arbiter),
                                   c->arbiter.require_sync, owner, d->arbiter_handler, d, ret, why);

    if (r < 0)
        (void)snprintf(text, REASON_MAX, "%s:%u: %s", c->arbiter.file, c->arbiter.line,
                       *why ? why : strerror(-r));
    return r;
}

/* Nothing that comes on the old connection counts any more; what it was asked is of unknown
 * outcome. Returns it: what it has seen of the arbiter's history counts for the next one, too. */
static struct arbiter *drop_arbiter(struct daemon *d)
{
    struct arbiter *old = d->arbiter;

    d->arbiter = NULL;
    d->connected = false;
    (void)snprintf(d->arbiter_text, sizeof d->arbiter_text, "not asked yet");
    tick_abandon(d);
    d->arbiter_tried = false;
    d->locked[0] = d->locked_logged[0] = '\0';
    for (size_t i = 0; i < d->n_groups; i++) { /* what they know is of the old one */
        d->groups[i]->has_read = false;
        d->groups[i]->held_up[0] = '\0';
    }
    return old;
}

static void keep_group(struct daemon *d, struct group *g, const struct config_difference *diff,
                       bool renamed)
{
    (void)host_set_stop(d->host, g->config->name, diff->after->budget.stop);
    (void)host_require_watchdog(d->host, g->config->name, diff->after->watchdog);
    g->config = diff->after;
    g->retired = false;
    g->changed = true;
    if (renamed)
        member_init(&g->member, d->owner);
}

/* Groups on their way from one configuration to the next. */
struct moving {
    struct group **groups;
    size_t n;
    struct group **dropped; /* freed last: as long as they are in daemon.groups, they are read */
    size_t n_dropped;
};

static int move_group(struct daemon *d, const struct config_difference *diff, bool renamed,
                      struct moving *m)
{
    struct group *g = diff->before ? daemon_group(d, diff->before->name) : NULL;
    bool kept = diff->change == CONFIG_UNCHANGED || diff->change == CONFIG_CHANGED_BUDGET;
    int r = 0;

    if (g && kept)
        keep_group(d, g, diff, renamed);
    else if (g) {
        api_group_removed(d->api, g->config->name);
        (void)host_remove_group(d->host, g->config->name);
        m->dropped[m->n_dropped++] = g;
        g = NULL;
    }
    if (!g && diff->after)
        r = group_new(d, diff->after, &g);
    if (g)
        m->groups[m->n++] = g;
    return r;
}

/* Rebuilds the groups, in the order of names. Once it has begun, `next` is in force in any
 * case: a group that there is no memory for is missing, and the return value says so. */
static int rebuild_groups(struct daemon *d, struct tenure_config *next, bool renamed)
{
    struct config_difference *diff = NULL;
    struct moving m = {.n = 0};
    size_t n_diff = 0;
    int first = config_diff(d->config, next, &diff, &n_diff);

    if (first < 0)
        return first;
    m.groups = calloc(next->n_groups + 1, sizeof(struct group *));
    m.dropped = calloc(d->n_groups + 1, sizeof(struct group *));
    if (!m.groups || !m.dropped) {
        free(m.groups);
        free(m.dropped);
        free(diff);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n_diff; i++) {
        int r = move_group(d, &diff[i], renamed, &m);

        if (r < 0 && first == 0)
            first = r;
    }
    for (size_t i = 0; i < m.n_dropped; i++)
        (void)group_free(m.dropped[i]);
    free(m.dropped);
    free(diff);
    free(d->groups);
    d->groups = m.groups;
    d->n_groups = m.n;
    d->config = config_free(d->config);
    d->config = next;
    return first;
}

static void resume_all(struct daemon *d)
{
    for (size_t i = 0; i < d->n_groups; i++) {
        struct group *g = d->groups[i];

        group_event(g, EVENT_RESUME);
        if (!g->published[0])
            api_group_added(d->api, g->config->name);
        host_poll(d->host, g->config->name);
    }
    api_manager_changed(d->api);
}

int configure_start(struct daemon *d)
{
    struct tenure_config *c = NULL;
    char text[REASON_MAX];
    int r = load(d->applied, &c, d->config_problem);

    if (r < 0) {
        /* What runs goes on until its deadline; a later apply brings an agent that knows it. */
        log_error("%s", d->config_problem);
        return 0;
    }
    make_owner(d, c->node);
    r = rebuild_groups(d, c, false);
    if (r < 0)
        return r;
    r = make_arbiter(d, c, d->owner, &d->arbiter, text);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        log_error("%s", text);
        (void)snprintf(d->arbiter_text, sizeof d->arbiter_text, "conninfo cannot be used");
    }
    resume_all(d);
    return 0;
}

/* configure_finish() takes nothing away that was not asked to step down here. */
static int stop_what_changes(struct daemon *d, bool renamed)
{
    _cleanup_free_ struct config_difference *diff = NULL;
    size_t n;
    int r = config_diff(d->config, d->next, &diff, &n);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        struct group *g = diff[i].before ? daemon_group(d, diff[i].before->name) : NULL;

        if (!g || (!renamed && diff[i].change != CONFIG_REMOVED &&
                   diff[i].change != CONFIG_CHANGED_UNITS))
            continue;
        g->retired = true;
        group_event(g, EVENT_STOP);
    }
    return 0;
}

int configure_begin(struct daemon *d, char text[static REASON_MAX])
{
    struct arbiter *probe = NULL;

    assert(!d->next);
    if (load(d->applied, &d->next, text) < 0)
        return -EBADMSG;
    if (make_arbiter(d, d->next, "-", &probe, text) < 0) {
        d->next = config_free(d->next);
        return -EBADMSG;
    }
    (void)arbiter_free(probe); /* it has not connected yet */
    if (d->config && stop_what_changes(d, strcmp(d->config->node, d->next->node) != 0) < 0) {
        (void)snprintf(text, REASON_MAX, "out of memory");
        d->next = config_free(d->next);
        return -EBADMSG;
    }
    return 0;
}

int configure_finish(struct daemon *d, char text[static REASON_MAX])
{
    bool renamed = d->config && strcmp(d->config->node, d->next->node) != 0;
    bool same_arbiter = d->config && d->arbiter && config_same_arbiter(d->config, d->next);
    struct arbiter *old = NULL;
    int r;

    if (!same_arbiter)
        old = drop_arbiter(d);
    make_owner(d, d->next->node);
    r = rebuild_groups(d, d->next, renamed);
    if (d->config == d->next)
        d->next = NULL;
    else
        d->next = config_free(d->next);
    if (r < 0)
        (void)snprintf(text, REASON_MAX, "not all of it is in effect: %s", strerror(-r));
    else if (!same_arbiter)
        r = make_arbiter(d, d->config, d->owner, &d->arbiter, text);
    if (old && d->arbiter)
        arbiter_inherit(d->arbiter, old);
    (void)arbiter_free(old);
    d->config_problem[0] = '\0';
    resume_all(d);
    return r < 0 ? -EBADMSG : 0;
}
