/* SPDX-License-Identifier: Apache-2.0 */
/* What budget.c and usec.h do, as contracts for Frama-C: read before the shipped file, which stays
 * as it is. Everything is said in unbounded integers, so that a sum that would wrap is no excuse.
 * Names of clauses are those of the file "properties". */
#include <errno.h>

#include "base/budget.h"

/*@ // ---- the promise, as docs/safety.md has it ----

    logic integer kill_of(integer lease) =
        lease / 10 <= 1000000 ? lease / 10 : 1000000;

    // L (1 - 2 rho) in thousandths of a microsecond: nothing is rounded.
    logic integer seen_by_a_fast_clock(integer lease) = lease * 1000 - 2 * lease;

    predicate promise(integer lease, integer stop, integer duration) =
        1000 * (duration + 300000 + stop + kill_of(lease)) <= seen_by_a_fast_clock(lease);

    predicate in_bounds(integer lease, integer stop) =
        0 < lease <= 86400000000 && 0 < stop <= 43200000000;

    // The largest D that keeps the promise: 2 L / 1000 is rounded up.
    logic integer rest(integer lease, integer stop) =
        lease - (2 * lease + 999) / 1000 - 300000 - stop - kill_of(lease);

    // The same with a K that is another's, and as L is counted: D and S and delta are in spent.
    predicate covers_it(integer lease, integer spent, integer kill) =
        1000 * (spent + (kill_of(lease) > kill ? kill_of(lease) : kill)) <=
            seen_by_a_fast_clock(lease);

    predicate accepted(integer lease, integer stop) =
        in_bounds(lease, stop) && rest(lease, stop) >= 800000;
*/

/*@ lemma rest_is_the_largest:
      \forall integer l, s; 0 < l <= 86400000000 && 0 < s <= 43200000000 ==>
        promise(l, s, rest(l, s)) && !promise(l, s, rest(l, s) + 1);

    lemma rest_grows_by_a_step:
      \forall integer l, s; 0 <= l ==> rest(l, s) <= rest(l + 100000, s);

    lemma rest_never_falls:
      \forall integer l, k, s; 0 <= l && l <= k ==> rest(l, s) <= rest(k, s);
*/

/*@ assigns \nothing;
    ensures saturating_add: \result == (a + b > UINT64_MAX ? UINT64_MAX : a + b); */
static inline usec_t usec_add(usec_t a, usec_t b);

/*@ assigns \nothing;
    ensures saturating_sub: \result == (a == UINT64_MAX ? (b == UINT64_MAX ? 0 : UINT64_MAX) :
                                        a > b ? a - b : 0); */
static inline usec_t usec_sub(usec_t a, usec_t b);

/*@ assigns \nothing;
    ensures least: \result == (a < b ? a : b); */
static inline usec_t usec_min(usec_t a, usec_t b);

/*@ assigns \nothing;
    ensures most: \result == (a > b ? a : b); */
static inline usec_t usec_max(usec_t a, usec_t b);

/*@ requires lease <= 200000000000;
    assigns \nothing;
    ensures lease_rounded_down: \result == lease - (2 * lease + 999) / 1000;
    ensures lease_rounded_down: 1000 * \result <= seen_by_a_fast_clock(lease); */
static usec_t lease_as_seen_by_a_fast_clock(usec_t lease);

/*@ assigns \nothing;
    ensures budget_kill: \result == kill_of(lease); */
usec_t budget_kill(usec_t lease);

/*@ requires \valid(ret);
    assigns *ret;
    ensures budget_accepts: \result == 0 <==> accepted(lease, stop);
    ensures budget_accepts: \result == 0 || \result == -ERANGE;
    ensures budget_refusal: \result != 0 ==> *ret == \old(*ret);
    ensures budget_promise: \result == 0 ==>
        ret->lease == lease && ret->stop == stop && ret->kill == kill_of(lease) &&
        promise(lease, stop, ret->duration) && !promise(lease, stop, ret->duration + 1);
    ensures budget_promise: \result == 0 ==> 800000 <= ret->duration < lease;
    ensures budget_tries: \result == 0 ==>
        0 < ret->poll <= 5000000 && 4 * ret->poll <= ret->duration &&
        (ret->poll == 5000000 || 4 * (ret->poll + 1) > ret->duration) &&
        ret->request == ret->poll; */
int budget_compute(usec_t lease, usec_t stop, struct budget *ret);

/*@ assigns \nothing;
    ensures budget_smallest: \result == UINT64_MAX ==>
        \forall integer l; !accepted(l, stop);
    ensures budget_smallest: \result != UINT64_MAX ==>
        accepted(\result, stop) && \result % 100000 == 0 &&
        \forall integer l; l <= \result - 100000 ==> !accepted(l, stop); */
usec_t budget_smallest_lease(usec_t stop);

/*@ assigns \nothing;
    ensures budget_judges: \result == true <==>
        in_bounds(lease, stop) && 0 < duration <= lease && promise(lease, stop, duration); */
bool budget_holds(usec_t lease, usec_t stop, usec_t duration);

/*@ requires lease <= 86400000000 && stop <= 43200000000 && duration <= 86400000000;
    assigns \nothing;
    ensures room: \result <= 1000000;
    ensures room: \forall integer k; 0 <= k <= 1000000 &&
        1000 * (duration + 300000 + stop + k) <= seen_by_a_fast_clock(lease) ==> k <= \result;
    ensures room: \result > 0 ==>
        1000 * (duration + 300000 + stop + \result) <= seen_by_a_fast_clock(lease); */
usec_t budget_room(usec_t lease, usec_t stop, usec_t duration);

/*@ requires lease <= 200000000000 && spent <= 200000000000 && kill <= 1000000;
    assigns \nothing;
    ensures covers: \result == true <==> covers_it(lease, spent, kill); */
static bool covers(usec_t lease, usec_t spent, usec_t kill);

/*@ requires span <= 180000000000;
    assigns \nothing;
    ensures lease_rounded_up: 998 * \result >= 1000 * span && 998 * \result < 1000 * span + 998; */
static usec_t lease_seen_as(usec_t span);

/*@ requires least <= 86400000000 && stop <= 43200000000 && duration <= 86400000000 &&
             kill <= 1000000;
    assigns \nothing;
    ensures covering_promise: covers_it(\result, duration + 300000 + stop, kill);
    ensures covering_least: \result >= least;
    ensures covering_least: covers_it(least, duration + 300000 + stop, kill) ==> \result == least;
 */
usec_t budget_covering_lease(usec_t least, usec_t stop, usec_t duration, usec_t kill);
