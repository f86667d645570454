/* SPDX-License-Identifier: Apache-2.0 */
/* search: looks at every state, says how many there are and what came about in them; or shows the
 * shortest way to one that must not be. */
#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "search.h"

/* What a state takes that was seen: 16 bytes in a table that is at most four fifths and at least
 * two fifths full, and 5 for the way to it. Beside that, the states of two steps are kept whole. */
#define BYTES_PER_STATE 45u
#define MEMORY_MIB_DEFAULT 512u
#define MEMORY_MIB_MAX (128u * 1024u) /* states are counted by 32 bits */
/* Fewer with a deviation, and the world has become another: it proves nothing. */
#define STATES_MIN 1000000u
/* Deliberate breaks that are found among so few are looked for in each run of the tests. */
#define QUICK_STATES_MAX 500000u
/* The chance that any two of n states agree in 128 bits is below n * n / 2 / 2^128. */
#define PRINTS 6.8e38

struct arguments {
    struct search_options search;
    uint64_t nodes, deviations, orders, memory;
    bool fine, skew, breaks, quick, list;
    enum search_break one;
};

/* D + S + rest + skew = L: nothing is to spare. */
static void make_grid(const struct arguments *a, enum search_break b)
{
    usec_t tick = a->fine ? USEC_PER_SEC / 2 : USEC_PER_SEC;

    grid = (struct grid){
        .name = a->fine ? "fine" : "coarse",
        .nodes = (unsigned)a->nodes,
        .tick = tick,
        .budget = {.lease = 5 * USEC_PER_SEC,
                   .stop = 1 * USEC_PER_SEC,
                   .kill = budget_kill(5 * USEC_PER_SEC),
                   .duration = a->fine ? 5 * tick : 2 * tick},
        .skew_is_free = a->skew,
        .rest = USEC_PER_SEC,
        .skew_max = 1,
    };
    grid.budget.poll = grid.budget.request = grid.budget.duration / BUDGET_TRIES;
    break_grid(b);
}

/* ---- telling ---- */

/* A count and what was counted, on a line of its own: tests/search/evidence reads them. */
static void print_count(uint64_t count, const char *what)
{
    printf("%14" PRIu64 "  %s\n", count, what);
}

static void print_result(const struct arguments *a, const struct result *r)
{
    double n = (double)r->states;

    printf("%s grid, %" PRIu64 " nodes, at most %" PRIu64 " deviations, %" PRIu64
           " orders by hand beside them%s\n",
           grid.name, a->nodes, a->deviations, a->orders,
           a->skew ? ", clocks may be off beside them" : "");
    print_count(r->states, "states");
    print_count(r->transitions, "transitions, with all invariants after each");
    print_count(r->depth, "steps to the farthest state");
    print_count(r->longest, "bytes of the longest state");
    printf("%14.1f  seconds of one core\n", r->seconds);
    printf("%14.0e  chance at most that two states were taken for one\n", n * n / PRINTS);
}

static void print_coverage(void)
{
    char what[SEARCH_TEXT_MAX];

    for (int i = 0; i < COVERS; i++)
        print_count(coverage.covers[i], cover_name((enum covered)i));
    for (int i = 0; i < CHOICES; i++) {
        (void)snprintf(what, sizeof what,
                       "%s: ", i >= CHOICE_FIRST_DEVIATION ? "deviations" : "steps");
        (void)strncat(what, choice_name((enum choice_kind)i), sizeof what - strlen(what) - 1);
        print_count(coverage.choices[i], what);
    }
    print_count(coverage.stalls, "deviations: the agent hangs before it does what it decided");
    for (int from = 0; from < MEMBER_STATES; from++)
        for (int to = 0; to < MEMBER_STATES; to++)
            if (coverage.moves[from][to] > 0) {
                (void)snprintf(what, sizeof what, "moves from %s to %s",
                               member_state_name((enum member_state)from),
                               member_state_name((enum member_state)to));
                print_count(coverage.moves[from][to], what);
            }
    for (int r = 1; r <= REASON_COPY; r++)
        if (coverage.reasons[r] > 0) {
            (void)snprintf(what, sizeof what, "terms that ended because %s",
                           member_reason_text((enum member_reason)r));
            print_count(coverage.reasons[r], what);
        }
}

/* ---- what must have come about ---- */

static bool happened(uint64_t count, const char *what)
{
    if (count == 0)
        printf("never: %s\n", what);
    return count > 0;
}

/* A release needs something that makes a leader give up, so what can go wrong with one needs more
 * than a single deviation. */
static bool needs_two(enum choice_kind kind)
{
    return kind == CHOICE_LATE_HINT || kind == CHOICE_HINT_LATE || kind == CHOICE_START_QUEUED;
}

/* Each of the election's edges is taken; the end of an adoption needs more deviations than every
 * search has. */
static bool move_fits(enum member_state from, enum member_state to)
{
    bool needed = member_may_move(from, to) && !(from == MEMBER_ADOPTING && to == MEMBER_ENDING);
    uint64_t count = coverage.moves[from][to];

    assert(count == 0 || member_may_move(from, to));
    return !needed || happened(count, member_state_name(to));
}

static bool all_moved(void)
{
    bool all = true;

    for (int from = 0; from < MEMBER_STATES; from++)
        for (int to = 0; to < MEMBER_STATES; to++)
            all = move_fits((enum member_state)from, (enum member_state)to) && all;
    for (int r = REASON_STOPPED; r <= REASON_FOREIGN_KEEPER; r++) /* and never REASON_COPY */
        if (r != REASON_PAUSED) /* needs the arbiter's wall clock, which is not here */
            all = happened(coverage.reasons[r], member_reason_text((enum member_reason)r)) && all;
    return all;
}

/* A search that has come across nothing proves nothing. */
static bool covered(const struct arguments *a, const struct result *r)
{
    bool two = a->deviations + a->orders >= 2, all = r->states >= STATES_MIN;

    if (a->deviations == 0)
        return true;
    if (!all)
        printf("so few states are a mistake\n");
    for (int i = 0; i < COVERS; i++)
        all = ((i == COVER_STRAY_RELEASE && !two) ||
               happened(coverage.covers[i], cover_name((enum covered)i))) &&
              all;
    for (int i = 0; i < CHOICES; i++)
        all = ((needs_two((enum choice_kind)i) && !two) ||
               happened(coverage.choices[i], choice_name((enum choice_kind)i))) &&
              all;
    all = happened(coverage.stalls, "the agent hangs before it does what it decided") && all;
    return all_moved() && all;
}

/* ---- what is asked for ---- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* With a break: until the invariant is violated that is there for it. */
static int prove(struct arguments *a)
{
    make_grid(a, a->one);
    a->search.only = break_found_by(a->one);
    a->deviations = larger(a->deviations, break_deviations(a->one));
    a->orders = larger(a->orders, break_orders(a->one));
    a->search.deviations = (unsigned)a->deviations;
    a->search.orders = (unsigned)a->orders;
    a->search.states_max = a->memory * 1024 * 1024 / BYTES_PER_STATE;

    struct result r = search(&a->search);

    print_result(a, &r);
    if (r.violation != VIOLATION_NONE)
        return EXIT_FAILURE;
    print_coverage();
    if (!r.complete) {
        printf("not all states: --memory %" PRIu64 " has no room for more\n", a->memory);
        return EXIT_FAILURE;
    }
    if (a->one == BREAK_NONE && !covered(a, &r))
        return EXIT_FAILURE;
    printf("all states: no violation\n");
    return EXIT_SUCCESS;
}

/* Not by another invariant before, but by the one that is there for it. */
static bool find_break(const struct arguments *a, enum search_break b, bool *ret_tried)
{
    struct search_options o = {.deviations = break_deviations(b),
                               .orders = break_orders(b),
                               .states_max = a->memory * 1024 * 1024 / BYTES_PER_STATE,
                               .only = break_found_by(b),
                               .quiet = true};

    *ret_tried = (!a->quick || break_is_quick(b)) && (a->one == BREAK_NONE || a->one == b);
    if (!*ret_tried)
        return true;
    if (a->quick)
        o.states_max = QUICK_STATES_MAX;
    make_grid(a, b);

    struct result r = search(&o);
    bool found = r.violation == o.only;

    printf("%-26s %s %9" PRIu64 " states, %3u steps, %5.1f s: %s\n", break_name(b),
           found ? "found after" : "NOT FOUND in", r.states, r.depth, r.seconds,
           violation_name(o.only));
    (void)fflush(stdout);
    return found;
}

/* An invariant that finds no break may be one that cannot be violated. */
static int count_untested(void)
{
    bool tested[VIOLATIONS] = {[VIOLATION_NONE] = true};
    int untested = 0;

    for (int b = BREAK_NONE + 1; b < BREAKS; b++)
        tested[break_found_by((enum search_break)b)] = true;
    for (int v = 0; v < VIOLATIONS; v++)
        if (!tested[v]) {
            printf("no break is there for: %s\n", violation_name((enum violation)v));
            untested++;
        }
    return untested;
}

static int prove_breaks(const struct arguments *a)
{
    int tried = 0, missed = count_untested();

    for (int b = BREAK_NONE + 1; b < BREAKS; b++) {
        bool is_tried;

        missed += !find_break(a, (enum search_break)b, &is_tried);
        tried += is_tried;
    }
    printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n",
           tried > missed ? 100 * (tried - missed) / tried : 0, tried, missed);
    return missed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int list_breaks(void)
{
    for (int b = BREAK_NONE + 1; b < BREAKS; b++)
        printf("%s\n", break_name((enum search_break)b));
    return EXIT_SUCCESS;
}

static int usage(const char *name)
{
    (void)fprintf(stderr,
                  "Usage: %s [--nodes N] [--deviations N] [--orders N] [--skew] [--fine]\n"
                  "       [--memory MIB] [--break NAME]\n"
                  "       %s --breaks [--quick | --break NAME | --list]\n\n"
                  "  --nodes N       2 or 3 (2)\n"
                  "  --deviations N  0, 1 or 2: what may go wrong in a run (1)\n"
                  "  --orders N      0 or 1: what an operator may order beside that (0)\n"
                  "  --skew          clocks may be off beside that\n"
                  "  --fine          ticks of half the length\n"
                  "  --memory MIB    for the states that were seen (%u); fails beyond\n"
                  "  --break NAME    with a deliberate break, and shows the way to what it breaks\n"
                  "  --breaks        each deliberate break must be found\n"
                  "  --quick         those that are found quickly\n"
                  "  --list          their names\n",
                  name, name, MEMORY_MIB_DEFAULT);
    return EXIT_FAILURE;
}

static bool find_name(const char *name, enum search_break *ret)
{
    for (int b = 0; b < BREAKS; b++)
        if (strcmp(name, break_name((enum search_break)b)) == 0) {
            *ret = (enum search_break)b;
            return true;
        }
    return false;
}

static bool take_number(int c, struct arguments *a)
{
    uint64_t *number = c == 'n'   ? &a->nodes
                       : c == 'd' ? &a->deviations
                       : c == 'o' ? &a->orders
                       : c == 'm' ? &a->memory
                                  : NULL;

    return !number || parse_u64(optarg, number) >= 0;
}

static bool in_bounds(const struct arguments *a)
{
    return a->nodes >= 2 && a->nodes <= SEARCH_NODES_MAX &&
           a->deviations <= SEARCH_DEVIATIONS_MAX && a->orders <= 1 && a->memory >= 1 &&
           a->memory <= MEMORY_MIB_MAX;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"nodes", required_argument, NULL, 'n'},
        {"deviations", required_argument, NULL, 'd'},
        {"orders", required_argument, NULL, 'o'},
        {"memory", required_argument, NULL, 'm'},
        {"break", required_argument, NULL, 'b'},
        {"skew", no_argument, NULL, 's'},
        {"fine", no_argument, NULL, 'f'},
        {"breaks", no_argument, NULL, 'a'},
        {"quick", no_argument, NULL, 'q'},
        {"list", no_argument, NULL, 'l'},
        {0},
    };
    struct arguments a = {.nodes = 2, .deviations = 1, .memory = MEMORY_MIB_DEFAULT};

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?' || (c == 'b' && !find_name(optarg, &a.one)) || !take_number(c, &a))
            return usage(argv[0]);
        a.skew = a.skew || c == 's';
        a.fine = a.fine || c == 'f';
        a.breaks = a.breaks || c == 'a';
        a.quick = a.quick || c == 'q';
        a.list = a.list || c == 'l';
    }
    if (optind < argc || !in_bounds(&a))
        return usage(argv[0]);
    if (a.list)
        return list_breaks();
    return a.breaks ? prove_breaks(&a) : prove(&a);
}
