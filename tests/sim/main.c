/* SPDX-License-Identifier: Apache-2.0 */
/* sim: runs seeds, one run each, and says which one broke what. A seed that fails is run again with
 * all that happens in it; "sim --from SEED --trace" does that at any time. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "sim.h"

#define PROGRESS_SEEDS 500u
/* With fewer, something may not happen by chance. */
#define COVERAGE_SEEDS 20000u
#define MUTATION_SEEDS 60000u

static struct world world;

static void progress(const char *what, uint64_t done, uint64_t of)
{
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, done < of ? "\r%s: %" PRIu64 " of %" PRIu64 " seeds" : "\r\033[K",
                      what, done, of);
}

/* A count and what was counted, on a line of its own: tests/sim/evidence adds them up. */
static void print_count(uint64_t count, const char *what)
{
    printf("%14" PRIu64 "  %s\n", count, what);
}

static void print_moves(const struct coverage *c)
{
    char what[SIM_TEXT_MAX];

    for (int from = 0; from <= MEMBER_RELEASING; from++)
        for (int to = 0; to <= MEMBER_RELEASING; to++)
            if (c->moves[from][to] > 0) {
                (void)snprintf(what, sizeof what, "moves from %s to %s",
                               member_state_name((enum member_state)from),
                               member_state_name((enum member_state)to));
                print_count(c->moves[from][to], what);
            }
    for (int r = 1; r <= REASON_FOREIGN_KEEPER; r++) {
        (void)snprintf(what, sizeof what, "terms that ended because %s",
                       member_reason_text((enum member_reason)r));
        print_count(c->reasons[r], what);
    }
    for (int f = 0; f < FAULTS; f++) {
        (void)snprintf(what, sizeof what, "faults: %s", fault_name((enum fault_kind)f));
        print_count(c->faults[f], what);
    }
}

static void print_coverage(const struct coverage *c)
{
    print_count(c->runs, "seeds");
    print_count(c->steps, "steps, with all invariants after each");
    print_count(c->tickets, "tickets");
    print_count(c->takeovers, "starts of a group's units");
    print_count(c->observed_claims, "claims on observation");
    print_count(c->clean_claims, "claims on a clean record");
    print_count(c->told_claims, "claims on a record that was told to be clean");
    print_count(c->lies, "lies about that");
    print_count(c->releases, "releases");
    print_count(c->late_applied, "batches carried out after they were given up");
    print_count(c->unknown_applied, "of their writes that were committed");
    print_count(c->advisory_claims, "claims by the method advisory");
    print_count(c->quarantines, "of them after a quarantine longer than the record's lease");
    print_count(c->locks_lost, "locks lost with their session");
    print_count(c->locks_retaken, "locks taken again by a renewal");
    print_count(c->locks_in_the_way, "times a lock was another session's");
    print_count(c->batches, "batches of several groups");
    print_count(c->writes_lost, "commits lost by failovers");
    print_count(c->overlaps, "times units ran by the word of two primaries at once");
    print_count(c->wrong_clocks, "runs with a clock that was off by 1 to 40 percent");
    print_count(c->clock_overlaps, "times units ran on two hosts by that");
    print_count(c->clock_overlap_usec / USEC_PER_MSEC, "milliseconds of that in all");
    print_count(c->plugs, "plugs pulled when all had settled, and somebody took over");
    print_count(c->namesakes, "runs with two nodes of one name");
    print_count(c->operators, "commands by hand");
    print_count(c->late_starts, "starts that PID 1 carried out seconds late");
    print_moves(c);
}

/* All that member.c knows. */
static const struct {
    enum member_state from, to;
} moves[] = {
    {MEMBER_STANDBY, MEMBER_CONFIRMING}, {MEMBER_STANDBY, MEMBER_STARTING},
    {MEMBER_STANDBY, MEMBER_ADOPTING},   {MEMBER_STANDBY, MEMBER_ENDING},
    {MEMBER_CONFIRMING, MEMBER_STANDBY}, {MEMBER_CONFIRMING, MEMBER_STARTING},
    {MEMBER_CONFIRMING, MEMBER_ENDING},  {MEMBER_STARTING, MEMBER_LEADING},
    {MEMBER_STARTING, MEMBER_ENDING},    {MEMBER_LEADING, MEMBER_ENDING},
    {MEMBER_ADOPTING, MEMBER_LEADING},   {MEMBER_ADOPTING, MEMBER_ENDING},
    {MEMBER_ENDING, MEMBER_STANDBY},     {MEMBER_ENDING, MEMBER_RELEASING},
    {MEMBER_RELEASING, MEMBER_STANDBY},
};

static bool happened(uint64_t count, const char *what, const char *more)
{
    if (count == 0)
        printf("never: %s%s\n", what, more);
    return count > 0;
}

static bool all_moved(const struct coverage *c)
{
    bool all = true;

    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        char what[SIM_TEXT_MAX];

        (void)snprintf(what, sizeof what, "%s to %s", member_state_name(moves[i].from),
                       member_state_name(moves[i].to));
        all = happened(c->moves[moves[i].from][moves[i].to], "a move from ", what) && all;
    }
    for (int r = 1; r <= REASON_FOREIGN_KEEPER; r++)
        all = happened(c->reasons[r], "a term ended because ",
                       member_reason_text((enum member_reason)r)) &&
              all;
    for (int f = 0; f < FAULTS; f++)
        all = happened(c->faults[f], "the fault: ", fault_name((enum fault_kind)f)) && all;
    return all;
}

/* A run in which nothing happens proves nothing. */
static bool covered(const struct coverage *c)
{
    const uint64_t counts[] = {
        c->takeovers,   c->observed_claims, c->clean_claims,     c->told_claims,
        c->lies,        c->releases,        c->unknown_applied,  c->late_applied,
        c->batches,     c->namesakes,       c->operators,        c->late_starts,
        c->writes_lost, c->overlaps,        c->quarantines,      c->advisory_claims,
        c->locks_lost,  c->locks_retaken,   c->locks_in_the_way, c->clock_overlaps,
        c->plugs,
    };
    bool all = true;

    if (c->runs < COVERAGE_SEEDS)
        return true;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        all = all && counts[i] > 0;
    all = all_moved(c) && all;
    if (!all)
        printf("not all that may happen has happened: nothing is proven\n");
    return all;
}

/* What a run came to: another one of the same seed must come to the same, whatever ran in between.
 */
struct digest {
    uint64_t seed, steps, random;
    usec_t now;
    bool taken;
};

static struct digest take_digest(uint64_t seed)
{
    return (struct digest){.seed = seed,
                           .steps = world.steps,
                           .random = world.random,
                           .now = world.now,
                           .taken = true};
}

static void replay(const struct digest *before, const struct sim_options *o)
{
    static struct coverage ignored;

    if (!before->taken)
        return;
    (void)sim_run(&world, before->seed, o, &ignored);

    struct digest again = take_digest(before->seed);

    if (again.steps != before->steps || again.random != before->random ||
        again.now != before->now) {
        printf("seed %" PRIu64 " does not replay\n", before->seed);
        exit(EXIT_FAILURE);
    }
}

/* Returns the number of seeds it took to find a violation, or 0. */
static uint64_t run_seeds(uint64_t from, uint64_t n, const struct sim_options *o,
                          struct coverage *coverage)
{
    const char *what = mutation_name(o->mutation);
    struct digest digest = {0};

    for (uint64_t i = 0; i < n; i++) {
        if (i % PROGRESS_SEEDS == 0) {
            progress(what, i, n);
            replay(&digest, o);
        }
        if (sim_run(&world, from + i, o, coverage) != VIOLATION_NONE) {
            progress(what, n, n);
            return i + 1;
        }
        if (i % PROGRESS_SEEDS == 0)
            digest = take_digest(from + i);
    }
    progress(what, n, n);
    return 0;
}

static int prove(uint64_t from, uint64_t n, struct sim_options o)
{
    static struct coverage coverage;
    uint64_t found;

    printf("seeds from %" PRIu64 "\n", from);
    found = run_seeds(from, n, &o, &coverage);
    if (found == 0) {
        print_coverage(&coverage);
        return o.mutation != MUTATION_NONE || covered(&coverage) ? EXIT_SUCCESS : EXIT_FAILURE;
    }

    uint64_t seed = from + found - 1;
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
static int prove_mutations(uint64_t from)
{
    static struct coverage coverage;
    int missed = count_untested();

    for (int m = MUTATION_NONE + 1; m < MUTATIONS; m++) {
        struct sim_options o = {.mutation = (enum mutation)m,
                                .only = mutation_caught_by((enum mutation)m)};
        uint64_t found = run_seeds(from, MUTATION_SEEDS, &o, &coverage);

        if (found > 0)
            printf("%-26s caught after %5" PRIu64 " seeds: %s\n", mutation_name(o.mutation), found,
                   sim_violation_name(o.only));
        else {
            printf("%-26s NOT CAUGHT: %s\n", mutation_name(o.mutation), sim_violation_name(o.only));
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
                  "Usage: %s [--from SEED | --new] [--seeds N] [--mutation NAME] [--trace]\n"
                  "       %s --mutations\n\n"
                  "  --from SEED      the first seed (1)\n"
                  "  --new            seeds that nobody has tried: the first one is the time\n"
                  "  --seeds N        how many (1)\n"
                  "  --mutation NAME  with a deliberate break\n"
                  "  --trace          say all that happens\n"
                  "  --mutations      each deliberate break must be caught\n",
                  name, name);
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

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 's'},
        {"mutation", required_argument, NULL, 'm'},
        {"trace", no_argument, NULL, 't'},
        {"mutations", no_argument, NULL, 'a'},
        {"new", no_argument, NULL, 'w'},
        {0},
    };
    uint64_t seeds = 1, from = 1;
    struct sim_options o = {.mutation = MUTATION_NONE};
    bool all = false;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if ((c == 'n' && parse_u64(optarg, &seeds) < 0) ||
            (c == 's' && parse_u64(optarg, &from) < 0) ||
            (c == 'm' && !find_mutation(optarg, &o.mutation)) || c == '?')
            return usage(argv[0]);
        o.trace = o.trace || c == 't';
        all = all || c == 'a';
        if (c == 'w') /* so far apart that no two runs try the same */
            from = (uint64_t)time(NULL) * USEC_PER_SEC;
    }
    if (optind < argc)
        return usage(argv[0]);
    return all ? prove_mutations(from) : prove(from, seeds, o);
}
