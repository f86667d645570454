/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"

#define CASES_IN_A_ROW 4
#define MISUSED 2

static struct test_entry *first;

/* Constructors run file by file as they were linked, but within a file in no order that a compiler
 * promises. */
void test_register(struct test_entry *entry)
{
    struct test_entry **at = &first;

    while (*at && (strcmp((*at)->file, entry->file) != 0 || (*at)->line < entry->line))
        at = &(*at)->next;
    entry->next = *at;
    *at = entry;
}

/* ---- the order of the source ---- */

/* A walk through all entries: a test, and the cases that it belongs to. */
struct walk {
    const struct test_entry *test;
    const struct test_case *cases[CASES_IN_A_ROW];
    size_t n;
};

static bool next_test(struct walk *w)
{
    const struct test_entry *e = w->test ? w->test->next : first;
    const struct test_entry *before = w->test;

    for (; e && e->begins; before = e, e = e->next) {
        if (!before || !before->begins)
            w->n = 0;
        assert(w->n < CASES_IN_A_ROW);
        w->cases[w->n++] = e->begins;
    }
    w->test = e;
    return e != NULL;
}

/* ---- selecting ---- */

static bool is_one_of(const char *name, char *const names[])
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static bool selected(const char *case_name, const char *test_name, char *const names[])
{
    return !*names || is_one_of(case_name, names) || is_one_of(test_name, names);
}

/* Says which are not. */
static bool names_exist(char *const names[])
{
    bool all = true;

    for (; *names; names++) {
        bool exists = false;

        for (struct walk w = {0}; !exists && next_test(&w);) {
            exists = strcmp(w.test->test.name, *names) == 0;
            for (size_t i = 0; i < w.n; i++)
                exists = exists || strcmp(w.cases[i]->name, *names) == 0;
        }
        if (!exists)
            (void)fprintf(stderr, "%s: no test or case \"%s\": --list shows what there is\n",
                          program_invocation_short_name, *names);
        all = all && exists;
    }
    return all;
}

static void list(void)
{
    for (struct walk w = {0}; next_test(&w);)
        for (size_t i = 0; i < w.n; i++)
            (void)printf("%-20s %s\n", w.cases[i]->name, w.test->test.name);
}

/* ---- running ---- */

static TCase *begin_case(const struct test_case *c)
{
    TCase *t = tcase_create(c->name);

    tcase_add_unchecked_fixture(t, c->before_all, NULL);
    tcase_add_checked_fixture(t, c->set_up, c->tear_down);
    if (c->time_limit > 0)
        tcase_set_timeout(t, c->time_limit);
    return t;
}

static void add(TCase *to, const struct test_entry *e)
{
    int end = e->test.first + (e->test.times > 0 ? e->test.times : 1);

    tcase_add_loop_test_raise_signal(to, e->function, e->test.signal, e->test.first, end);
}

static const char *suite_name(void)
{
    const char *program = program_invocation_short_name;
    size_t skip = sizeof "test_" - 1;

    return strncmp(program, "test_", skip) == 0 ? program + skip : program;
}

/* The tests of these names, all if there are none. Counts those that need root to be run. */
static Suite *make_suite(char *const names[], int *ret_left_out)
{
    Suite *suite = suite_create(suite_name());
    const struct test_case *begun[CASES_IN_A_ROW] = {NULL};
    TCase *cases[CASES_IN_A_ROW];

    *ret_left_out = 0;
    for (struct walk w = {0}; next_test(&w);) {
        if (w.test->test.root && geteuid() != 0) {
            ++*ret_left_out;
            continue;
        }
        assert(w.n > 0); /* a file begins with a case */
        for (size_t i = 0; i < w.n; i++) {
            if (!selected(w.cases[i]->name, w.test->test.name, names))
                continue;
            if (begun[i] != w.cases[i]) {
                begun[i] = w.cases[i];
                cases[i] = begin_case(begun[i]);
                suite_add_tcase(suite, cases[i]);
            }
            add(cases[i], w.test);
        }
    }
    return suite;
}

static int run(char *const names[])
{
    int left_out;
    SRunner *runner = srunner_create(make_suite(names, &left_out));

    if (left_out > 0)
        (void)printf("%d tests left out: they need root\n", left_out);
    folder_begin();
    srunner_run_all(runner, CK_ENV);
    folder_end();
    bool good = srunner_ntests_failed(runner) == 0 && srunner_ntests_run(runner) > 0;
    srunner_free(runner);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool test_lists(int argc, char *const argv[])
{
    return argc > 1 && strcmp(argv[1], "--list") == 0;
}

int test_main(int argc, char *const argv[])
{
    char *const *names = argv + (argc > 0);

    if (test_lists(argc, argv)) {
        list();
        return EXIT_SUCCESS;
    }
    return names_exist(names) ? run(names) : MISUSED;
}
