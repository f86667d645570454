/* SPDX-License-Identifier: Apache-2.0 */
/* What happened over all runs: adds it up, prints it, and says what has not happened. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "sim.h"

void coverage_add(struct coverage *sum, const struct coverage *more)
{
    static_assert(sizeof *sum % sizeof(uint64_t) == 0, "nothing but counts");
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;

    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

/* A count and what was counted, on a line of its own: tests/sim/evidence adds them up. */
static void print_count(uint64_t count, const char *what)
{
    printf("%14" PRIu64 "  %s\n", count, what);
}

static void print_moves(const struct coverage *c)
{
    char what[SIM_TEXT_MAX];

    for (int from = 0; from < MEMBER_STATES; from++)
        for (int to = 0; to < MEMBER_STATES; to++)
            if (c->moves[from][to] > 0) {
                (void)snprintf(what, sizeof what, "moves from %s to %s",
                               member_state_name((enum member_state)from),
                               member_state_name((enum member_state)to));
                print_count(c->moves[from][to], what);
            }
    for (int r = 1; r <= REASON_COPY; r++) {
        (void)snprintf(what, sizeof what, "terms that ended because %s",
                       member_reason_text((enum member_reason)r));
        print_count(c->reasons[r], what);
    }
    for (int f = 0; f < FAULTS; f++) {
        (void)snprintf(what, sizeof what, "faults: %s", fault_name((enum fault_kind)f));
        print_count(c->faults[f], what);
    }
}

void coverage_print(const struct coverage *c)
{
    print_count(c->runs, "seeds");
    print_count(c->steps, "steps, with all invariants after each");
    print_count(c->tickets, "tickets");
    print_count(c->unit_starts, "starts of a group's units");
    print_count(c->observed_claims, "claims on observation");
    print_count(c->reconnected_claims, "of them on what was seen in several connections");
    print_count(c->short_connections, "runs in which no connection lasts for 1.2 s");
    print_count(c->poolers, "restarts of the server that a pooler hid");
    print_count(c->clean_claims, "claims on a clean record");
    print_count(c->notice_claims, "claims on a release notice");
    print_count(c->lies, "lies about that");
    print_count(c->releases, "releases");
    print_count(c->late_applied, "ticks carried out after they were given up");
    print_count(c->unknown_applied, "of their writes that were committed");
    print_count(c->advisory_claims, "claims by the method advisory");
    print_count(c->quarantines, "of them after a quarantine longer than the record's lease");
    print_count(c->locks_lost, "locks lost with their session");
    print_count(c->locks_retaken, "locks taken again by a renewal");
    print_count(c->locks_in_the_way, "times a lock was another session's");
    print_count(c->ticks, "ticks of several groups");
    print_count(c->writes_lost, "commits lost by failovers");
    print_count(c->overlaps, "times units ran by the word of two primaries at once");
    print_count(c->wrong_clocks, "runs with a clock that was off by 1 to 40 percent");
    print_count(c->clock_overlaps, "times units ran on two hosts by that");
    print_count(c->clock_overlap_usec / USEC_PER_MSEC, "milliseconds of that in all");
    print_count(c->plugs, "plugs pulled when all had settled, and somebody took over");
    print_count(c->stops_failed,
                "stops that failed: units stay up, or leave what no process holds");
    print_count(c->stops_repeated, "stops of units that stayed up");
    print_count(c->lefts, "terms not given back for want of proof");
    print_count(c->namesakes, "runs with two nodes of one name");
    print_count(c->operators, "commands by hand");
    print_count(c->heals, "heals: PID 1 read its files again");
    print_count(c->heals_refused, "heals that were refused");
    print_count(c->restarts, "restarts of units that crashed");
    print_count(c->restarts_outside, "of them outside their slice");
    print_count(c->late_starts, "starts that PID 1 carried out seconds late");
    print_count(c->damaged_adopted, "keepers adopted by a damaged state");
    print_count(c->new_leases, "leases: another one reaches a keeper in mid-term");
    print_count(c->longer_lost, "leases: a longer one is lost with a failover");
    print_count(c->lost_writes_survived,
                "terms that went on though a failover lost their renewals");
    print_count(c->adopted_later,
                "adoptions by what a late renewal of an earlier life had written");
    print_count(c->orphans_changed, "orphans that changed while they were watched");
    print_count(c->own_claims, "claims of a record in the own name, when its lease was over");
    print_count(c->copies, "copies of running hosts");
    print_count(c->copied_leaders, "of their groups with units that ran");
    print_count(c->copies_at_once, "times units ran on two hosts by that");
    print_count(c->copy_overlap_usec / USEC_PER_MSEC, "milliseconds of that in all");
    print_count(c->copy_alarms, "alarms that there is a copy");
    print_count(c->false_alarms, "of them where there was none");
    print_count(c->words_done, "nodes that an operator had confirmed dead");
    print_count(c->words_false, "of them while units ran there that may");
    print_count(c->words_ended_sessions, "of them with a session that was ended");
    print_count(c->words_refused, "refused, as the node lived");
    print_count(c->words_late, "that were too late, as another had claimed the record");
    print_moves(c);
}

static bool happened(uint64_t count, const char *what, const char *more)
{
    if (count == 0)
        printf("never: %s%s\n", what, more);
    return count > 0;
}

/* Each of the election's edges was taken, and no move was made beside them. */
static bool move_fits(const struct coverage *c, enum member_state from, enum member_state to)
{
    uint64_t count = c->moves[from][to];
    bool fits = (count > 0) == member_may_move(from, to);

    if (!fits)
        printf("%s: a move from %s to %s\n", count > 0 ? "not an edge" : "never",
               member_state_name(from), member_state_name(to));
    return fits;
}

static bool all_moved(const struct coverage *c)
{
    bool all = true;

    for (int from = 0; from < MEMBER_STATES; from++)
        for (int to = 0; to < MEMBER_STATES; to++)
            all = move_fits(c, (enum member_state)from, (enum member_state)to) && all;
    for (int r = 1; r <= REASON_COPY; r++)
        all = happened(c->reasons[r], "a term ended because ",
                       member_reason_text((enum member_reason)r)) &&
              all;
    for (int f = 0; f < FAULTS; f++)
        all = happened(c->faults[f], "the fault: ", fault_name((enum fault_kind)f)) && all;
    return all;
}

bool coverage_complete(const struct coverage *c)
{
    const uint64_t counts[] = {
        c->unit_starts,
        c->observed_claims,
        c->clean_claims,
        c->notice_claims,
        c->lies,
        c->releases,
        c->unknown_applied,
        c->late_applied,
        c->ticks,
        c->namesakes,
        c->operators,
        c->late_starts,
        c->writes_lost,
        c->overlaps,
        c->quarantines,
        c->advisory_claims,
        c->locks_lost,
        c->locks_retaken,
        c->locks_in_the_way,
        c->clock_overlaps,
        c->plugs,
        c->stops_failed,
        c->stops_repeated,
        c->lefts,
        c->reconnected_claims,
        c->poolers,
        c->short_connections,
        c->damaged_adopted,
        c->heals,
        c->heals_refused,
        c->restarts,
        c->restarts_outside,
        c->new_leases,
        c->longer_lost,
        c->lost_writes_survived,
        c->orphans_changed,
        c->own_claims,
        c->copied_leaders,
        c->copies_at_once,
        c->copy_alarms,
        c->words_done,
        c->words_false,
        c->words_ended_sessions,
        c->words_refused,
        c->words_late,
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

void edges_print(void)
{
    for (unsigned i = 0; i < MEMBER_EDGES; i++) {
        const struct member_edge *e = &member_edges[i];
        bool first = i == 0 || e->from != e[-1].from;

        printf("%-10s --> %-10s  %s\n", first ? member_state_name(e->from) : "",
               member_state_name(e->to), e->when);
    }
}
