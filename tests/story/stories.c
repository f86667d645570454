/* SPDX-License-Identifier: Apache-2.0 */
/* The stories. Each is a few lines: what goes wrong and when. All else follows. */
#include "story.h"

#define SEC USEC_PER_SEC
#define MSEC USEC_PER_MSEC

/* What first_term tells is left out, and the clock begins after it. */
static struct node *first_leads(struct story *s)
{
    FILE *out = s->out;
    struct node *n1 = &s->nodes[0];

    s->out = NULL;
    story_start(s);
    story_until(s, n1, MEMBER_LEADING);
    story_run(s, 10 * SEC);
    n1->renewals = 0;
    s->out = out;
    s->began = s->now;
    tell(s, "n1", "Leads term %s. The deadline is %s.", term_text(n1->m.term.number),
         time_text(s, n1->m.term.deadline));
    for (unsigned i = 1; i < s->n_nodes; i++)
        tell(s, s->nodes[i].name, "Is a standby, and polls.");
    return n1;
}

/* Up to a moment before n1 may claim for the first time. */
static struct node *about_to_claim(struct story *s)
{
    FILE *out = s->out;

    s->out = NULL;
    story_start(s);
    story_run(s, 14 * SEC);
    s->out = out;
    s->began = s->now;
    tell(s, "", "Nobody leads yet. Both nodes have been watching the record for more than 14 s.");
    return &s->nodes[0];
}

static void first_term(struct story *s)
{
    story_start(s);
    story_until(s, &s->nodes[0], MEMBER_LEADING);
    story_run(s, 10 * SEC);
    tell(s, "n1", "Leads, and goes on like this.");
}

static void failover(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "n1", "Loses its power.");
    node_power_off(n1);
    story_until(s, &s->nodes[1], MEMBER_LEADING);
}

static void switchover(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "operator", "Runs \"systemctl stop tenured\" on n1.");
    node_stop(s, n1);
    story_until(s, &s->nodes[1], MEMBER_LEADING);
}

static void race(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "operator", "Runs \"systemctl stop tenured\" on n1.");
    node_stop(s, n1);
    story_until(s, &s->nodes[1], MEMBER_LEADING);
    story_run(s, 3 * SEC);
}

static void cut(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "network", "Drops all packets of n1.");
    node_cut(n1);
    story_until(s, &s->nodes[1], MEMBER_LEADING);
    story_run(s, 2 * SEC);
    tell(s, "network", "Lets the packets of n1 pass again.");
    node_mend(s, n1);
    story_until(s, n1, MEMBER_STANDBY);
    story_run(s, 3 * SEC);
}

static void claim_unknown(struct story *s)
{
    struct node *n1 = about_to_claim(s);

    while (n1->request.operation != OPERATION_CLAIM)
        story_run(s, MSEC);
    n1->lose_answer = true;
    tell(s, "network", "Loses the answer to n1's claim.");
    story_until(s, n1, MEMBER_LEADING);
}

static void adoption(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "n1", "The agent is killed. The keeper does not need it.");
    agent_end(n1);
    story_run(s, 3 * SEC);
    tell(s, "n1", "PID 1 has started the agent again.");
    agent_begin(s, n1);
    story_until(s, n1, MEMBER_LEADING);
    story_run(s, 10 * SEC);
    tell(s, "n1", "The units have not noticed.");
}

static void claim_lost(struct story *s)
{
    struct node *n1 = first_leads(s), *n2 = &s->nodes[1], *n3 = &s->nodes[2];
    struct record released;

    tell(s, "operator", "Runs \"systemctl stop tenured\" on n1.");
    node_stop(s, n1);
    do {
        story_run(s, MSEC);
        released = s->arbiter.record;
    } while (!released.clean);
    story_until(s, n2, MEMBER_LEADING);
    story_run(s, 2 * SEC);
    tell(s, "network", "Drops all packets of n2.");
    node_cut(n2);
    tell(s, "database", "Fails over. The promoted server never received the claim of n2.");
    arbiter_fail_over(&s->arbiter, &released);
    story_until(s, n3, MEMBER_LEADING);
}

static void start_failed(struct story *s)
{
    struct node *n1 = about_to_claim(s);

    n1->refuse_start = true;
    story_until(s, n1, MEMBER_ENDING);
    story_until(s, &s->nodes[1], MEMBER_LEADING);
}

static void lease_changed(struct story *s)
{
    struct node *n1 = first_leads(s);

    story_run(s, 5 * SEC);
    tell(s, "operator", "Sets lease = \"60s\" on n1, and applies it.");
    node_configure(s, n1, 60 * SEC);
    story_run(s, 40 * SEC);
    tell(s, "operator", "Sets lease = \"20s\" on n1, and applies it.");
    node_configure(s, n1, 20 * SEC);
    story_run(s, 60 * SEC);
    tell(s, "n1", "The units have not noticed.");
}

static void orphan(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "n1", "The agent is killed.");
    agent_end(n1);
    host_kill_keeper(s, n1);
    story_run(s, SEC);
    tell(s, "n1", "PID 1 has started the agent again.");
    agent_begin(s, n1);
    story_until(s, &s->nodes[1], MEMBER_LEADING);
}

static void denied(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "operator", "Restores a backup of the database, of before any term.");
    s->arbiter.exists = false;
    s->arbiter.epoch.started++;
    story_until(s, n1, MEMBER_STANDBY);
    story_until(s, n1, MEMBER_LEADING);
    story_run(s, SEC);
}

static void stop_while_starting(struct story *s)
{
    struct node *n1 = about_to_claim(s);

    story_until(s, n1, MEMBER_STARTING);
    story_run(s, 10 * MSEC);
    tell(s, "operator", "Runs \"systemctl stop tenured\" on n1.");
    node_stop(s, n1);
    story_until(s, &s->nodes[1], MEMBER_LEADING);
}

static void guards_healed(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "n1", "Both copies of a unit's guards are deleted, and PID 1 has read that.");
    n1->guards = GUARDS_BARE;
    host_poll(n1, s->now);
    story_run(s, 5 * SEC);
    tell(s, "n1", "The term goes on: the units have not noticed.");
}

static void guards_lost(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "n1", "Both copies of a unit's guards are deleted, and /etc cannot be written.");
    n1->guards = GUARDS_BARE;
    n1->heal_helps = false;
    host_poll(n1, s->now);
    story_until(s, &s->nodes[1], MEMBER_LEADING);
}

static void late_renewal(struct story *s)
{
    struct node *n1 = first_leads(s);

    tell(s, "network", "Drops all packets of n1.");
    node_cut(n1);
    story_run(s, n1->m.term.deadline - SEC - s->now);
    tell(s, "network", "Lets the packets of n1 pass again.");
    tell(s, "database", "Takes 1.5 s for the next request.");
    s->arbiter.slow = 1500 * MSEC;
    node_mend(s, n1);
    story_run(s, 500 * MSEC);
    s->arbiter.slow = 0;
    story_until(s, &s->nodes[1], MEMBER_LEADING);
}

const struct chapter chapters[] = {
    {"first_term", "The first term: two agents start, and nobody has led yet",
     "A record of which nobody knows anything is watched for the whole lease. Both nodes wait\n"
     "for that; the claim of the second one comes too late, and is denied.",
     2, first_term},
    {"failover", "Failover: the leader loses its power",
     "The standby never hears that n1 is dead. It sees that nobody renews, and waits for the\n"
     "whole lease of 15 s: by then the units of n1 are dead, whatever happened there.",
     2, failover},
    {"switchover", "Switchover: the leader's agent is stopped",
     "The record is released only when PID 1 has confirmed that all is dead. Nobody waits for the\n"
     "lease then: the release notice says so.",
     2, switchover},
    {"race", "Switchover with two standbys",
     "Both hear the same release notice, and both claim. A claim is a compare-and-set on the\n"
     "record: one is granted, the other one denied.",
     3, race},
    {"cut", "Cut: the leader cannot reach the database",
     "n1 runs, and cannot renew. Its keeper ends the units at the deadline, without the agent.\n"
     "The standby claims later: when it has seen the record unchanged for 15 s.",
     2, cut},
    {"claim_unknown", "A claim of unknown outcome",
     "No answer is not a refusal. The node reads the record, and finds the nonce of its claim.", 2,
     claim_unknown},
    {"adoption", "Adoption: the agent is killed, and comes back",
     "The keeper and the units live on. The new agent reads what its predecessor wrote last, and\n"
     "may lead with them only if a renewal by that proves that the term is still this node's.",
     2, adoption},
    {"fork", "A failover of the database that loses a claim",
     "n2 leads term 1/2, of which the promoted server knows nothing: there, term 1/1 is released.\n"
     "But it was released on another timeline, and so n3 does not claim at once: the units of\n"
     "n2 still run.",
     3, claim_lost},
    {"start_failed", "PID 1 cannot start the keeper",
     "The term is released at once, and another node leads. This one would wait for twice the\n"
     "lease before it claims again.",
     2, start_failed},
    {"orphan", "Orphan: agent and keeper are killed together",
     "The record names n1, and nothing of the group runs there. When nobody has renewed it for a\n"
     "renewal interval, it is no copy's of n1 either: the new agent releases the term, so that\n"
     "nobody waits for the lease.",
     2, orphan},
    {"denied", "Denied: the record is gone",
     "A restored database knows nothing of the term. n1 learns it with its next renewal. Its next\n"
     "term is above all that it has seen.",
     2, denied},
    {"stop_while_starting", "A stop while the keeper starts",
     "The term has begun, but no unit has: the ticket goes first, then the keeper.", 2,
     stop_while_starting},
    {"guards_healed", "Guards are lost, and healed",
     "A unit of the leader is not guarded any more. One reload mends it.", 2, guards_healed},
    {"guards_lost", "Guards are lost for good",
     "Two heals have not helped, so the term ends while keeper and PID 1 still reach all units.", 2,
     guards_lost},
    {"lease_changed", "A running term gets another lease",
     "A longer one stands in the record at once. The keeper gets it when the record has shown it\n"
     "for one old lease. A shorter one: the deadline is not extended until the shorter lease\n"
     "demands it, and the record's lease shrinks with each renewal until then.",
     2, lease_changed},
    {"late_renewal", "A renewal that is granted after the deadline",
     "It makes nobody a leader: the units end at the deadline. Only its nonce counts, because\n"
     "the record has it now.",
     2, late_renewal},
    {0},
};
