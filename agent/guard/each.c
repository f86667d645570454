/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/each.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "config/string_list.h"
#include "guard/names.h"
#include "guard/text.h"

struct names {
    char **items;
    size_t n;
};

/* Where all of it goes, and the first error. */
struct each {
    guard_sink sink;
    void *userdata;
    const char *const *unit_dirs;
    struct unit_links links;
    struct names done; /* sorted: a unit has one drop-in */
    int first;
};

static void note(struct each *e, int r)
{
    if (r < 0 && e->first == 0)
        e->first = r;
}

/* Takes the text. made: what the function that made it returned. */
static void pass_on(struct each *e, const char *unit, int made, char *text)
{
    note(e, made < 0 ? made : e->sink(e->userdata, unit, text));
    if (made == 0)
        free(text);
}

/* Second names of a unit, to those of its group. */
static void add_names(struct each *e, const char *unit, struct names *all)
{
    char **names = NULL;
    size_t n = 0;
    int r = unit_links_names(&e->links, unit, &names, &n);

    note(e, r);
    for (size_t i = 0; i < n; i++)
        note(e, strings_add(&all->items, &all->n, names[i]));
    strings_free(names, n);
}

/* Has this name a drop-in already? Links made since may give a unit the name of
 * another. */
static bool is_done(struct each *e, const char *unit)
{
    int r = strings_insert(&e->done.items, &e->done.n, unit);

    note(e, r);
    return r == 0;
}

static void each_of_unit(struct each *e, const struct config_group *g, const char *unit)
{
    char *text = NULL;

    if (is_done(e, unit))
        return;
    int r = guard_unit_text(g, unit, &text);
    pass_on(e, unit, r, text);
}

static void each_kept(struct each *e, const struct config_kept *k, struct names *all)
{
    size_t first = all->n;

    for (size_t i = 0; k && i < k->n_units; i++) {
        note(e, strings_add(&all->items, &all->n, k->units[i]));
        add_names(e, k->units[i], all);
    }
    for (size_t i = first; i < all->n; i++) {
        char *text = NULL;

        if (is_done(e, all->items[i]))
            continue;
        int r = guard_kept_text(k->name, all->items[i], &text);

        pass_on(e, all->items[i], r, text);
    }
}

/* The guards come before what wants the units: a full disk must not leave a unit that is wanted
 * but not guarded. */
static void each_of_group(struct each *e, const struct tenure_config *c,
                          const struct config_group *g)
{
    char keeper[UNIT_NAME_LEN_MAX + 1];
    struct names more = {.n = 0};
    char *text = NULL;
    int r = group_keeper_unit(g->name, keeper, sizeof keeper);

    if (r < 0) {
        note(e, r);
        return;
    }
    for (size_t i = 0; i < g->n_units; i++)
        add_names(e, g->units[i], &more);
    for (size_t i = 0; i < more.n; i++)
        each_of_unit(e, g, more.items[i]);
    each_kept(e, config_find_kept(c, g->name), &more);
    r = guard_keeper_text(g, more.items, more.n, e->unit_dirs, &text);
    pass_on(e, keeper, r, text);
    strings_free(more.items, more.n);
}

/* A group that left this host: nothing of it is led here. */
static void each_of_gone(struct each *e, const struct config_kept *k)
{
    char keeper[UNIT_NAME_LEN_MAX + 1];
    struct names all = {.n = 0};
    char *text = NULL;
    int r = group_keeper_unit(k->name, keeper, sizeof keeper);

    note(e, r);
    each_kept(e, k, &all);
    if (r == 0) {
        r = guard_kept_keeper_text(k->name, all.items, all.n, &text);
        pass_on(e, keeper, r, text);
    }
    strings_free(all.items, all.n);
}

int guard_each(const struct tenure_config *c, const char *const unit_dirs[], guard_sink sink,
               void *userdata)
{
    assert(c);
    assert(unit_dirs);
    assert(sink);

    struct each e = {.sink = sink, .userdata = userdata, .unit_dirs = unit_dirs};
    char *text = NULL;

    note(&e, unit_links_load(unit_dirs, &e.links));
    for (size_t i = 0; i < c->n_groups; i++)
        for (size_t k = 0; k < c->groups[i].n_units; k++)
            each_of_unit(&e, &c->groups[i], c->groups[i].units[k]);
    for (size_t i = 0; i < c->n_groups; i++)
        each_of_group(&e, c, &c->groups[i]);
    for (size_t i = 0; i < c->n_kept; i++)
        if (!config_find_group(c, c->kept[i].name))
            each_of_gone(&e, &c->kept[i]);
    if (c->n_groups > 0 && e.first == 0) {
        int r = guard_agent_text(c, &text);

        pass_on(&e, "tenured.service", r, text);
    }
    unit_links_clear(&e.links);
    strings_free(e.done.items, e.done.n);
    return e.first;
}
