/* SPDX-License-Identifier: Apache-2.0 */
/* Time: whatever is due next happens next, nodes in their order. */
#include <assert.h>

#include "story.h"

#define PATIENCE_USEC (120 * USEC_PER_SEC)
#define START_GAP_USEC (200 * USEC_PER_MSEC)

static const char *const names[STORY_NODES_MAX] = {"n1", "n2", "n3"};

static struct node *next_node(struct story *s, usec_t *ret_at)
{
    struct node *next = NULL;

    *ret_at = USEC_INFINITY;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        usec_t at = node_next(&s->nodes[i]);

        if (at < *ret_at) {
            *ret_at = at;
            next = &s->nodes[i];
        }
    }
    return next;
}

/* Whether anything was due before `end`. */
static bool turn_before(struct story *s, usec_t end)
{
    usec_t at;
    struct node *n = next_node(s, &at);

    if (!n || at >= end)
        return false;
    s->now = usec_max(s->now, at);
    node_turn(s, n);
    return true;
}

void story_run(struct story *s, usec_t duration)
{
    usec_t end = s->now + duration;

    while (turn_before(s, end))
        ;
    s->now = end;
}

void story_until(struct story *s, struct node *n, enum member_state state)
{
    usec_t end = s->now + PATIENCE_USEC;

    while (n->m.state != state) {
        bool turned = turn_before(s, end);

        assert(turned);
    }
}

void story_begin(struct story *s, const struct chapter *c, FILE *out)
{
    *s = (struct story){.out = out, .n_nodes = c->n_nodes};
    s->arbiter.epoch = (struct epoch){.system_id = 7000, .timeline = 1, .started = 1};
    assert(c->n_nodes <= STORY_NODES_MAX);

    int r = budget_compute(STORY_LEASE_USEC, STORY_STOP_USEC, &s->budget);

    assert(r == 0);
    (void)fprintf(out, "%s\n\n%s\n\n", c->title, c->about);
    for (unsigned i = 0; i < c->n_nodes; i++)
        s->nodes[i] = (struct node){.name = names[i],
                                    .number = i,
                                    .online = true,
                                    .guards = GUARDS_WHOLE,
                                    .heal_helps = true};
}

void story_start(struct story *s)
{
    for (unsigned i = 0; i < s->n_nodes; i++) {
        agent_begin(s, &s->nodes[i]);
        story_run(s, START_GAP_USEC);
    }
}
