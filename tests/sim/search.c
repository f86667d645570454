/* SPDX-License-Identifier: Apache-2.0 */
/* Many seeds, by several processes: each takes the next few that nobody has taken yet. So what is
 * found does not depend on how many there are: of all seeds that break something, the first. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim.h"

/* What a process takes at once. */
#define SHARE_SEEDS 500u
#define NOT_FOUND UINT64_MAX

/* Between all processes of a search. Seeds are counted from its first one. */
struct shared {
    _Atomic uint64_t next;  /* that nobody has taken yet */
    _Atomic uint64_t found; /* the first one that breaks something */
    atomic_bool over;
    usec_t until;
    struct coverage coverage[]; /* of each */
};

static size_t shared_size(unsigned jobs)
{
    return sizeof(struct shared) + jobs * sizeof(struct coverage);
}

static bool time_is_over(const struct sim_search *search, const struct shared *s)
{
    return search->seconds == 0 || clock_boottime() >= s->until;
}

static void progress(const struct sim_search *search, uint64_t done)
{
    if (!isatty(STDERR_FILENO))
        return;
    (void)fprintf(stderr, "\r%s: %" PRIu64 " seeds", mutation_name(search->options.mutation), done);
    if (search->seconds == 0)
        (void)fprintf(stderr, " of %" PRIu64, search->seeds);
}

/* What a run came to: another one of the same seed must come to the same, whatever ran in between.
 */
struct digest {
    uint64_t steps, random;
    usec_t now;
};

static struct digest digest_of(const struct world *w)
{
    return (struct digest){.steps = w->steps, .random = w->random, .now = w->now};
}

static void replay(struct world *w, uint64_t seed, const struct digest *before,
                   struct sim_options o)
{
    static struct coverage ignored;

    o.trace = false; /* it has been printed */
    (void)sim_run(w, seed, &o, &ignored);

    struct digest again = digest_of(w);

    if (again.steps != before->steps || again.random != before->random ||
        again.now != before->now) {
        printf("seed %" PRIu64 " does not replay\n", seed);
        exit(EXIT_FAILURE);
    }
}

/* Once the seeds that must be are done, whatever else runs on these cores comes first. */
static void give_way(void)
{
    (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
}

/* Returns false when there is none left. */
static bool take(const struct sim_search *search, struct shared *s, uint64_t *begin, uint64_t *end)
{
    if (atomic_load(&s->over) || atomic_load(&s->found) != NOT_FOUND)
        return false;
    if (atomic_load(&s->next) >= search->seeds) {
        if (time_is_over(search, s))
            return false;
        give_way();
    }
    uint64_t first = atomic_fetch_add(&s->next, SHARE_SEEDS);
    progress(search, first);
    *begin = first;
    *end = first + SHARE_SEEDS;
    if (search->seconds == 0 && *end > search->seeds)
        *end = search->seeds;
    return first < *end;
}

static void found(struct shared *s, uint64_t seed)
{
    uint64_t first = atomic_load(&s->found);

    while (seed < first && !atomic_compare_exchange_weak(&s->found, &first, seed))
        ;
}

static void work(const struct sim_search *search, struct shared *s, struct world *w,
                 struct coverage *coverage)
{
    uint64_t begin, end;

    while (take(search, s, &begin, &end)) {
        struct digest first = {0};

        for (uint64_t i = begin; i < end && i < atomic_load(&s->found); i++) {
            if (i >= search->seeds && time_is_over(search, s))
                return;
            if (sim_run(w, search->from + i, &search->options, coverage) != VIOLATION_NONE) {
                found(s, i);
                return;
            }
            if (i == begin)
                first = digest_of(w);
        }
        if (atomic_load(&s->found) == NOT_FOUND)
            replay(w, search->from + begin, &first, search->options);
    }
}

static void start_all(const struct sim_search *search, struct shared *s, struct world *w)
{
    pid_t parent = getpid();

    (void)fflush(NULL); /* or each would write it, too */
    for (unsigned i = 0; i < search->jobs; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            perror("fork");
            exit(EXIT_FAILURE);
        }
        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent)
                work(search, s, w, &s->coverage[i]);
            exit(EXIT_SUCCESS);
        }
    }
}

/* What did not come to its end has proven nothing. */
static void await_all(const struct sim_search *search, struct shared *s)
{
    bool failed = false;

    for (unsigned i = 0; i < search->jobs; i++) {
        int status;

        if (wait(&status) < 0 || status != 0) {
            failed = true;
            atomic_store(&s->over, true);
        }
    }
    if (failed) {
        printf("a process of the simulation has failed\n");
        exit(EXIT_FAILURE);
    }
}

uint64_t sim_search(const struct sim_search *search, struct world *w, struct coverage *coverage)
{
    size_t size = shared_size(search->jobs);
    struct shared *s = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (s == MAP_FAILED) {
        perror("mmap");
        exit(EXIT_FAILURE);
    }
    atomic_store(&s->found, NOT_FOUND);
    s->until = clock_boottime() + search->seconds * USEC_PER_SEC;
    if (search->jobs == 1)
        work(search, s, w, &s->coverage[0]);
    else {
        start_all(search, s, w);
        await_all(search, s);
    }
    if (isatty(STDERR_FILENO))
        (void)fputs("\r\033[K", stderr);
    for (unsigned i = 0; i < search->jobs; i++)
        coverage_add(coverage, &s->coverage[i]);

    uint64_t first = atomic_load(&s->found);

    (void)munmap(s, size);
    return first == NOT_FOUND ? 0 : first + 1;
}
