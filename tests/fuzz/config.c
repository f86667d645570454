/* SPDX-License-Identifier: Apache-2.0 */
/* A whole configuration: tenure.conf, two files of groups.d, the unit file of a timer, a drop-in of
 * a socket and the template of a path, divided by lines of "%%". What is accepted must be what
 * config.h promises, and come back from a snapshot as it was. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "config/load.h"
#include "config/snapshot.h"
#include "config/unit_name.h"
#include "fuzz.h"
#include "support/libconfig_leaks.h"

static const char *const files[] = {"tenure.conf",   "groups.d/a.conf",         "groups.d/b.conf",
                                    "units/w.timer", "units/w.socket.d/x.conf", "units/x@.path"};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const dirs[] = {"groups.d", "units", "units/w.socket.d"};

    (void)argc;
    (void)argv;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
        (void)mkdir(fuzz_path(dirs[i]), 0755);
    fuzz_file("units/w.socket", "[Socket]\n", strlen("[Socket]\n"));
    return 0;
}

static void check_problems(const struct config_problems *p)
{
    assert(p->n > 0 && !p->out_of_memory);
    for (size_t i = 0; i < p->n; i++) {
        assert(p->items[i].file && p->items[i].text && *p->items[i].text);
        assert(!strpbrk(p->items[i].text, "\n\r\033"));
    }
}

static void check_group(const struct tenure_config *c, size_t at)
{
    const struct config_group *g = &c->groups[at];
    struct budget again;

    assert(group_name_valid(g->name));
    assert(at == 0 || strcmp(c->groups[at - 1].name, g->name) < 0);
    assert(config_find_group(c, g->name) == g);
    assert(g->n_units > 0 && g->n_units <= CONFIG_UNITS_MAX);
    for (size_t i = 0; i < g->n_units; i++)
        assert(!unit_name_problem(g->units[i]));
    assert(budget_compute(g->budget.lease, g->budget.stop, &again) == 0);
    assert(again.duration == g->budget.duration && again.kill == g->budget.kill);
    assert(budget_holds(g->budget.lease, g->budget.stop, g->budget.duration));
}

static void check_no_unit_twice(const struct tenure_config *c)
{
    for (size_t g = 0; g < c->n_groups; g++)
        for (size_t u = 0; u < c->groups[g].n_units; u++)
            for (size_t h = g; h < c->n_groups; h++)
                for (size_t v = h == g ? u + 1 : 0; v < c->groups[h].n_units; v++)
                    assert(strcmp(c->groups[g].units[u], c->groups[h].units[v]) != 0);
}

static void check_snapshot(const struct tenure_config *c)
{
    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_config_ struct tenure_config *again = NULL;
    _cleanup_free_ struct config_difference *differences = NULL;
    size_t n = 0;
    const char *path = fuzz_path("applied.conf");

    assert(config_write_snapshot(c, path) == 0);
    assert(config_load_snapshot(path, &problems, &again) == 0);
    assert(config_same_arbiter(c, again));
    assert(config_diff(c, again, &differences, &n) == 0);
    assert(n == c->n_groups);
    for (size_t i = 0; i < n; i++)
        assert(differences[i].change == CONFIG_UNCHANGED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_config_ struct tenure_config *c = NULL;
    _cleanup_free_ char *text = fuzz_text(data, size);
    const char *unit_dirs[] = {fuzz_path("units"), NULL};
    char *parts[FUZZ_PARTS_MAX];

    fuzz_parts(text, parts);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        fuzz_file(files[i], parts[i], parts[i] ? strlen(parts[i]) : 0);
    int r = config_load(&(struct config_paths){.main_file = fuzz_path(files[0]),
                                               .groups_dir = fuzz_path("groups.d"),
                                               .unit_dirs = unit_dirs},
                        &problems, &c);
    if (r < 0) {
        assert(r == -EBADMSG && !c);
        check_problems(&problems);
        return 0;
    }
    assert(r == 0 && problems.n == 0 && problems.n_more == 0);
    assert(node_name_valid(c->node));
    assert(*c->arbiter.conninfo && strlen(c->arbiter.conninfo) <= CONFIG_CONNINFO_MAX);
    for (size_t i = 0; i < c->n_groups; i++)
        check_group(c, i);
    check_no_unit_twice(c);
    check_snapshot(c);
    return 0;
}
