/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/each.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "guard/names.h"
#include "guard/text.h"

/* Where all of it goes, and the first error. */
struct each {
    guard_sink sink;
    void *userdata;
    const char *const *unit_dirs;
    struct unit_links links;
    int first;
};

static void note(struct each *e, int r)
{
    if (r < 0 && e->first == 0)
        e->first = r;
}

/* Takes the text. made: what the function that made it returned. */
static void hand_over(struct each *e, const char *unit, int made, char *text)
{
    note(e, made < 0 ? made : e->sink(e->userdata, unit, text));
    if (made == 0)
        free(text);
}

/* Second names of the group's units, as one list. */
struct names {
    char **items;
    size_t n;
};

static void add_names(struct each *e, const char *unit, struct names *all)
{
    char **names = NULL;
    size_t n = 0;
    int r = unit_links_names(&e->links, unit, &names, &n);

    note(e, r);
    if (r < 0 || n == 0)
        return;
    char **longer = realloc(all->items, (all->n + n) * sizeof(char *));
    if (!longer) {
        note(e, -ENOMEM);
        unit_names_free(names, n);
        return;
    }
    all->items = longer;
    memcpy(longer + all->n, names, n * sizeof(char *));
    all->n += n;
    free(names);
}

static void each_of_unit(struct each *e, const struct config_group *g, const char *unit)
{
    char *text = NULL;
    int r = guard_unit_text(g, unit, &text);

    hand_over(e, unit, r, text);
}

/* The guards before what wants the units: a full disk must not leave one that is wanted but free.
 */
static void each_of_group(struct each *e, const struct config_group *g)
{
    char keeper[UNIT_NAME_LEN_MAX + 1];
    struct names more = {.n = 0};
    char *text = NULL;
    int r = group_keeper_unit(g->name, keeper, sizeof keeper);

    if (r < 0) {
        note(e, r);
        return;
    }
    for (size_t i = 0; i < g->n_units; i++) {
        each_of_unit(e, g, g->units[i]);
        add_names(e, g->units[i], &more);
    }
    for (size_t i = 0; i < more.n; i++)
        each_of_unit(e, g, more.items[i]);
    r = guard_keeper_text(g, more.items, more.n, e->unit_dirs, &text);
    hand_over(e, keeper, r, text);
    unit_names_free(more.items, more.n);
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
        each_of_group(&e, &c->groups[i]);
    if (c->n_groups > 0 && e.first == 0) {
        int r = guard_agent_text(c, &text);

        hand_over(&e, "tenured.service", r, text);
    }
    unit_links_clear(&e.links);
    return e.first;
}
