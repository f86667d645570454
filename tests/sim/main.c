/* SPDX-License-Identifier: Apache-2.0 */
/* sim: runs seeds, one run each, and says which one broke what. A seed that fails is run again with
 * all that happens in it; "sim --from SEED --trace" does that at any time. */
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "sim.h"

#define MUTATION_SEEDS 60000u
#define SECONDS_MAX 1000000u
#define JOBS_MAX 1024u

static struct world world;

static int prove(const struct sim_search *search)
{
    static struct coverage coverage;
    struct sim_options o = search->options;

    printf("seeds from %" PRIu64 ", %u at a time\n", search->from, search->jobs);
    uint64_t found = sim_search(search, &world, &coverage);
    if (found == 0) {
        coverage_print(&coverage);
        return o.mutation != MUTATION_NONE || coverage_complete(&coverage) ? EXIT_SUCCESS
                                                                           : EXIT_FAILURE;
    }

    uint64_t seed = search->from + found - 1;
    if (!o.trace) {
        o.trace = true;
        (void)sim_run(&world, seed, &o, &coverage);
    }
    printf("seed %" PRIu64 ": %s at %.6f s: %s\n"
           "Again: sim --from %" PRIu64 " --mutation %s --trace\n",
           seed, sim_violation_name(world.violation), (double)world.now / (double)USEC_PER_SEC,
           world.text, seed, mutation_name(o.mutation));
    return EXIT_FAILURE;
}

/* An invariant that catches no break may be one that cannot be violated. */
static int count_untested(void)
{
    bool tested[VIOLATIONS] = {[VIOLATION_NONE] = true};
    int untested = 0;

    for (int m = MUTATION_NONE + 1; m < MUTATIONS; m++)
        tested[mutation_caught_by((enum mutation)m)] = true;
    for (int v = 0; v < VIOLATIONS; v++)
        if (!tested[v]) {
            printf("no break is there for: %s\n", sim_violation_name((enum violation)v));
            untested++;
        }
    return untested;
}

/* Each deliberate break must be caught, and by the invariant that is there for it; each invariant
 * must catch one. */
static int prove_mutations(struct sim_search search)
{
    static struct coverage coverage;
    int missed = count_untested();

    for (int m = MUTATION_NONE + 1; m < MUTATIONS; m++) {
        search.options.mutation = (enum mutation)m;
        search.options.only = mutation_caught_by((enum mutation)m);
        search.seeds = MUTATION_SEEDS;
        uint64_t found = sim_search(&search, &world, &coverage);
        const char *name = mutation_name(search.options.mutation);
        const char *by = sim_violation_name(search.options.only);

        if (found > 0)
            printf("%-26s caught after %5" PRIu64 " seeds: %s\n", name, found, by);
        else {
            printf("%-26s NOT CAUGHT: %s\n", name, by);
            missed++;
        }
        (void)fflush(stdout);
    }
    printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n",
           100 * (MUTATIONS - 1 - missed) / (MUTATIONS - 1), MUTATIONS - 1, missed);
    return missed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(const char *name)
{
    (void)fprintf(stderr,
                  "Usage: %s [--from SEED | --new] [--seeds N] [--seconds N] [--jobs N]\n"
                  "           [--mutation NAME] [--trace]\n"
                  "       %s --mutations [--from SEED] [--jobs N]\n"
                  "       %s --edges\n\n"
                  "  --from SEED      the first seed (1)\n"
                  "  --new            seeds that nobody has tried: the first one is the time\n"
                  "  --seeds N        how many (1; with --seconds 20000)\n"
                  "  --seconds N      that many, and then more until so much time has passed\n"
                  "  --jobs N         how many at a time (as many as there are cores)\n"
                  "  --mutation NAME  with a deliberate break\n"
                  "  --trace          say all that happens, one seed after the other\n"
                  "  --mutations      each deliberate break must be caught\n"
                  "  --edges          only print the moves of a member from state to state\n",
                  name, name, name);
    return EXIT_FAILURE;
}

static bool find_mutation(const char *name, enum mutation *ret)
{
    for (int m = 0; m < MUTATIONS; m++)
        if (strcmp(name, mutation_name((enum mutation)m)) == 0) {
            *ret = (enum mutation)m;
            return true;
        }
    return false;
}

static unsigned cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* Returns false when it is no number, or one that cannot be. */
static bool take_number(int option, const char *text, struct sim_search *search)
{
    uint64_t number;

    if (parse_u64(text, &number) < 0)
        return false;
    switch (option) {
    case 's':
        search->from = number;
        return true;
    case 'n':
        search->seeds = number;
        return number > 0;
    case 'd':
        search->seconds = number;
        return number > 0 && number <= SECONDS_MAX;
    default:
        search->jobs = (unsigned)number;
        return number > 0 && number <= JOBS_MAX;
    }
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},    {"seconds", required_argument, NULL, 'd'},
        {"jobs", required_argument, NULL, 'j'},     {"from", required_argument, NULL, 's'},
        {"mutation", required_argument, NULL, 'm'}, {"trace", no_argument, NULL, 't'},
        {"mutations", no_argument, NULL, 'a'},      {"new", no_argument, NULL, 'w'},
        {"edges", no_argument, NULL, 'e'},          {0},
    };
    struct sim_search search = {.from = 1, .jobs = cores()};
    bool all = false;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?' || (c == 'm' && !find_mutation(optarg, &search.options.mutation)) ||
            (strchr("ndjs", c) && !take_number(c, optarg, &search)))
            return usage(argv[0]);
        search.options.trace = search.options.trace || c == 't';
        all = all || c == 'a';
        if (c == 'e') {
            edges_print();
            return EXIT_SUCCESS;
        }
        if (c == 'w') /* so far apart that no two runs try the same */
            search.from = (uint64_t)time(NULL) * USEC_PER_SEC;
    }
    if (optind < argc)
        return usage(argv[0]);
    if (search.seeds == 0)
        search.seeds = search.seconds > 0 ? COVERAGE_SEEDS : 1;
    if (search.options.trace)
        search.jobs = 1;
    return all ? prove_mutations(search) : prove(&search);
}
