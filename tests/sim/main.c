/* SPDX-License-Identifier: Apache-2.0 */
/* sim: runs seeds, one run each, and says which broke what. "sim --from SEED --trace" replays one.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "sim.h"

static void print_coverage(const struct coverage *c)
{
    printf("%" PRIu64 " seeds, %" PRIu64 " steps; %" PRIu64 " tickets, %" PRIu64 " starts, %" PRIu64
           " claims on observation, %" PRIu64 " on a clean record, %" PRIu64 " releases; %" PRIu64
           " requests carried out after they were given up\n",
           c->runs, c->steps, c->tickets, c->takeovers, c->observed_claims, c->clean_claims,
           c->releases, c->late_applied);
    for (int from = 0; from <= MEMBER_RELEASING; from++)
        for (int to = 0; to <= MEMBER_RELEASING; to++)
            if (c->moves[from][to] > 0)
                printf("  %-10s -> %-10s %" PRIu64 "\n", member_state_name((enum member_state)from),
                       member_state_name((enum member_state)to), c->moves[from][to]);
    for (int r = 1; r <= REASON_FOREIGN_KEEPER; r++)
        printf("  ended because %s: %" PRIu64 "\n", member_reason_text((enum member_reason)r),
               c->reasons[r]);
}

static int usage(const char *name)
{
    (void)fprintf(
        stderr,
        "Usage: %s [--seeds N] [--from S] [--mutation NAME] [--trace] [--only-two-leaders]\n",
        name);
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
        {"seeds", required_argument, NULL, 'n'},      {"from", required_argument, NULL, 's'},
        {"mutation", required_argument, NULL, 'm'},   {"trace", no_argument, NULL, 't'},
        {"only-two-leaders", no_argument, NULL, '2'}, {0},
    };
    static struct world world;
    static struct coverage coverage;
    uint64_t seeds = 1, from = 1;
    struct sim_options o = {.mutation = MUTATION_NONE};

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if ((c == 'n' && parse_u64(optarg, &seeds) < 0) ||
            (c == 's' && parse_u64(optarg, &from) < 0) ||
            (c == 'm' && !find_mutation(optarg, &o.mutation)) || c == '?')
            return usage(argv[0]);
        if (c == 't')
            o.trace = true;
        if (c == '2')
            o.only = VIOLATION_TWO_LEADERS;
    }
    if (optind < argc)
        return usage(argv[0]);

    for (uint64_t seed = from; seed - from < seeds; seed++) {
        enum violation v = sim_run(&world, seed, &o, &coverage);

        if (v != VIOLATION_NONE) {
            printf("seed %" PRIu64 ": %s at %.6f s: %s (after %" PRIu64 " seeds)\n", seed,
                   sim_violation_name(v), (double)world.now / (double)USEC_PER_SEC, world.text,
                   seed - from + 1);
            return EXIT_FAILURE;
        }
    }
    print_coverage(&coverage);
    return EXIT_SUCCESS;
}
