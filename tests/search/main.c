/* SPDX-License-Identifier: Apache-2.0 */
/* search: looks at every state, says how many there were and what came about in them; or shows the
 * shortest way to one that must not be. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "search.h"

/* Of a state that was seen, with its share of the table. Beside it there are the states of two
 * steps, packed. */
#define BYTES_PER_STATE 48
#define MEMORY_MIB_DEFAULT 1024u
#define BREAK_STATES_MAX 30000000u
/* One tick less of lease, and what is accepted is another grid: so few states are a mistake. */
#define STATES_MIN 500000u

struct arguments {
    struct search_options o;
    uint64_t nodes, deviations, orders, memory;
    bool skew;
    bool fine, breaks;
    enum search_break one;
};

/* D + S + rest + skew = L. */
static void make_grid(bool fine, unsigned nodes)
{
    usec_t tick = fine ? USEC_PER_SEC / 2 : USEC_PER_SEC;

    grid = (struct grid){
        .name = fine ? "fine" : "coarse",
        .nodes = nodes,
        .tick = tick,
        .budget = {.lease = 5 * USEC_PER_SEC,
                   .stop = 1 * USEC_PER_SEC,
                   .kill = budget_kill(5 * USEC_PER_SEC),
                   .duration = fine ? 5 * tick : 2 * tick},
        .rest = USEC_PER_SEC,
        .skew_max = 1,
    };
    grid.budget.poll = grid.budget.request = grid.budget.duration / BUDGET_TRIES;
}

/* A count and what was counted, on a line of its own: tests/search/evidence reads them. */
static void print_count(uint64_t count, const char *what)
{
    printf("%14" PRIu64 "  %s\n", count, what);
}

static void print_coverage(void)
{
    char what[SEARCH_TEXT_MAX];

    for (int i = 0; i < COVERS; i++)
        print_count(coverage.covers[i], cover_name((enum cover)i));
    for (int i = 0; i < CHOICES; i++) {
        (void)snprintf(what, sizeof what, "%s%s",
                       i >= CHOICE_FIRST_DEVIATION ? "deviations: " : "steps: ",
                       choice_name((enum choice_kind)i));
        print_count(coverage.choices[i], what);
    }
    print_count(coverage.stalls,
                "deviations: the agent stands still before it does what it decided");
    for (int from = 0; from <= MEMBER_RELEASING; from++)
        for (int to = 0; to <= MEMBER_RELEASING; to++)
            if (coverage.moves[from][to] > 0) {
                (void)snprintf(what, sizeof what, "moves from %s to %s",
                               member_state_name((enum member_state)from),
                               member_state_name((enum member_state)to));
                print_count(coverage.moves[from][to], what);
            }
    for (int r = 1; r <= REASON_FOREIGN_KEEPER; r++)
        if (coverage.reasons[r] > 0)
            print_count(coverage.reasons[r], member_reason_text((enum member_reason)r));
}

static int usage(const char *name)
{
    (void)fprintf(stderr,
                  "Usage: %s [--nodes N] [--deviations N] [--fine] [--memory MIB] [--break NAME]\n"
                  "       %s --breaks\n\n"
                  "  --nodes N       2 or 3 (2)\n"
                  "  --deviations N  0, 1 or 2 (1)\n"
                  "  --fine          ticks of half the length\n"
                  "  --memory MIB    for the states that were seen (%u)\n"
                  "  --break NAME    with a deliberate break; shows the way to what it breaks\n"
                  "  --breaks        each deliberate break must be found\n",
                  name, name, MEMORY_MIB_DEFAULT);
    return EXIT_FAILURE;
}

static void print_result(const struct arguments *a, const struct result *r)
{
    double n = (double)r->states;

    printf("%s grid: %" PRIu64 " nodes, at most %" PRIu64 " deviations\n", grid.name, a->nodes,
           a->deviations);
    print_count(r->states, "states");
    print_count(r->transitions, "transitions, with all invariants after each");
    print_count(r->depth, "steps to the farthest state");
    print_count(r->longest, "bytes of the longest state");
    printf("%14.1f  seconds\n", r->seconds);
    printf("%14.0e  chance that a state was taken for another\n", n * n / 6.8e38);
}

int main(int argc, char *argv[])
{
    struct arguments a = {.nodes = 2, .deviations = 1, .memory = MEMORY_MIB_DEFAULT};
    static const struct option options[] = {
        {"nodes", required_argument, NULL, 'n'},
        {"deviations", required_argument, NULL, 'd'},
        {"fine", no_argument, NULL, 'f'},
        {"orders", required_argument, NULL, 'o'},
        {"skew", no_argument, NULL, 's'},
        {"memory", required_argument, NULL, 'm'},
        {"break", required_argument, NULL, 'b'},
        {"breaks", no_argument, NULL, 'a'},
        {0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if ((c == 'n' && parse_u64(optarg, &a.nodes) < 0) ||
            (c == 'd' && parse_u64(optarg, &a.deviations) < 0) ||
            (c == 'o' && parse_u64(optarg, &a.orders) < 0) ||
            (c == 'm' && parse_u64(optarg, &a.memory) < 0) || c == '?')
            return usage(argv[0]);
        if (c == 'b')
            for (int b = 0; b < BREAKS; b++)
                if (strcmp(optarg, break_name((enum search_break)b)) == 0)
                    a.one = (enum search_break)b;
        a.fine = a.fine || c == 'f';
        a.skew = a.skew || c == 's';
        a.breaks = a.breaks || c == 'a';
    }
    make_grid(a.fine, (unsigned)a.nodes);
    if (a.breaks) {
        for (int b = 1; b < BREAKS; b++) {
            make_grid(a.fine, (unsigned)a.nodes);
            break_grid((enum search_break)b);
            struct search_options o = {.deviations = break_deviations((enum search_break)b),
                                       .orders = break_orders((enum search_break)b),
                                       .states_max = BREAK_STATES_MAX,
                                       .only = break_found_by((enum search_break)b),
                                       .quiet = true};
            struct result r = search(&o);
            printf("%-26s %s %9lu states depth %u %.1f s (%s)\n", break_name((enum search_break)b),
                   r.violation ? "found" : "NOT FOUND", r.states, r.depth, r.seconds,
                   violation_name(o.only));
            fflush(stdout);
        }
        return 0;
    }
    break_grid(a.one);
    a.o.orders = (unsigned)a.orders;
    grid.skew_is_free |= a.skew;
    a.o.deviations = (unsigned)a.deviations;
    a.o.states_max = a.memory * 1048576 / BYTES_PER_STATE;
    struct result r = search(&a.o);
    print_result(&a, &r);
    print_coverage();
    printf("%s\n", r.complete ? "complete" : "NOT COMPLETE");
    return 0;
}
