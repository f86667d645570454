/* SPDX-License-Identifier: Apache-2.0 */
/* Breadth first: the first violation that is found has the shortest way to it. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "search.h"

/* A state that was seen is remembered by 128 bits of it. Two states would have to agree in all of
 * them to be taken for one: with n states, by a chance below n * n / 2^129. */
struct print {
    uint64_t a, b;
};

/* States to be looked at: length, then bytes. */
struct queue {
    uint8_t *bytes;
    size_t used, size;
};

struct seen {
    struct print *table;
    size_t mask;
    uint32_t
        *from; /* of each state, in the order in which they were found: the state before it … */
    uint8_t *choice; /* … and what happened there */
    uint64_t n, max;
};

static void *reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED) {
        perror("search: mmap");
        exit(EXIT_FAILURE);
    }
    return p;
}

static void seen_open(struct seen *s, uint64_t max)
{
    size_t slots = 1;

    while (slots < max + max / 4)
        slots *= 2;
    *s = (struct seen){.table = reserve(slots * sizeof *s->table),
                       .mask = slots - 1,
                       .from = reserve(max * sizeof *s->from),
                       .choice = reserve(max),
                       .max = max};
}

static void seen_close(struct seen *s)
{
    (void)munmap(s->table, (s->mask + 1) * sizeof *s->table);
    (void)munmap(s->from, s->max * sizeof *s->from);
    (void)munmap(s->choice, s->max);
}

static uint64_t mix(uint64_t h, uint64_t v, uint64_t odd)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(h ^ v) * odd;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static struct print print_of(const uint8_t *bytes, size_t length)
{
    struct print p = {UINT64_C(0x243f6a8885a308d3) ^ length, UINT64_C(0x13198a2e03707344) + length};

    for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
        uint64_t v = 0;

        memcpy(&v, bytes + i, length - i < sizeof v ? length - i : sizeof v);
        p.a = mix(p.a, v, UINT64_C(0x9e3779b97f4a7c15));
        p.b = mix(p.b + i, v * UINT64_C(0xd6e8feb86659fd93), UINT64_C(0xa0761d6478bd642f));
    }
    p.a = mix(p.a, p.b, UINT64_C(0xe7037ed1a0b428db));
    p.b = mix(p.b, p.a, UINT64_C(0x8ebc6af09c88c6e3));
    if (p.a == 0 && p.b == 0) /* an empty slot */
        p.b = 1;
    return p;
}

/* Is it new? */
static bool seen_add(struct seen *s, struct print p, uint64_t from, unsigned choice)
{
    size_t i = p.a & s->mask;

    while (s->table[i].a != 0 || s->table[i].b != 0) {
        if (s->table[i].a == p.a && s->table[i].b == p.b)
            return false;
        i = (i + 1) & s->mask;
    }
    if (s->n == s->max)
        return true;
    s->table[i] = p;
    s->from[s->n] = (uint32_t)from;
    s->choice[s->n++] = (uint8_t)choice;
    return true;
}

static void queue_add(struct queue *q, const uint8_t *bytes, size_t length)
{
    uint16_t n = (uint16_t)length;

    if (q->used + sizeof n + length > q->size) {
        q->size = q->size > 0 ? 2 * q->size : (size_t)1 << 20;
        q->bytes = realloc(q->bytes, q->size);
        if (!q->bytes) {
            perror("search: realloc");
            exit(EXIT_FAILURE);
        }
    }
    assert(q->bytes);
    memcpy(q->bytes + q->used, &n, sizeof n);
    memcpy(q->bytes + q->used + sizeof n, bytes, length);
    q->used += sizeof n + length;
}

/* ---- telling ---- */

static void tell_node(const struct node *n)
{
    printf(" | %c %s", n->name, n->alive ? member_state_name(n->member.state) : "no agent");
    if (n->member.term.number > 0)
        printf(" term %" PRIu64, n->member.term.number & UINT32_MAX);
    if (n->stalled)
        printf(", hangs");
    if (n->has_ticket)
        printf(", ticket");
    if (n->keeper_alive)
        printf(", keeper of term %" PRIu64 " %s%s until %+" PRId64, n->keeper.term & UINT32_MAX,
               n->frozen ? "frozen " : "", n->keeper.phase == KEEPER_LEADING ? "leads" : "ends",
               (int64_t)(n->keeper.deadline / grid.tick) - (int64_t)(SEARCH_NOW(grid) / grid.tick));
    if (n->running)
        printf(", UNITS RUN%s", n->killed_at > 0 ? " (killed)"
                                : n->stop_begun  ? " (stopping)"
                                                 : "");
}

static void tell(const struct world *w, unsigned tick, const struct choice *c, char name)
{
    printf("tick %2u  ", tick);
    if (c->kind == CHOICE_TICK)
        printf("%s", choice_name(c->kind));
    else
        printf("%c: %s%s%s", name, c->kind >= CHOICE_FIRST_DEVIATION ? "DEVIATION: " : "",
               choice_name(c->kind),
               c->stalls ? ", and DEVIATION: it hangs before it does what it decided" : "");
    printf("\n         record: term %" PRIu64 " of %c%s", w->row.term & UINT32_MAX,
           w->row.owner[0] ? w->nodes[w->row.owner[0] - 'a'].name : '-',
           w->row.clean ? ", clean" : "");
    for (char one = 'a'; one < (char)('a' + grid.nodes); one++)
        for (unsigned i = 0; i < grid.nodes; i++)
            if (w->nodes[i].name == one)
                tell_node(&w->nodes[i]);
    printf("\n");
}

/* Names of nodes are kept, for the reader. */
static void pack_by_name(struct world *w)
{
    uint8_t packed[SEARCH_PACKED_MAX];
    char name[SEARCH_NODES_MAX] = {0};

    (void)pack(w, packed);
    for (unsigned i = 0; i < grid.nodes; i++)
        name[i] = w->nodes[i].name;
    unpack(packed, w);
    for (unsigned i = 0; i < grid.nodes; i++)
        w->nodes[i].name = name[i];
}

/* The way to a state, and what happened in it at last. Terms count up to the greatest that somebody
 * still remembers, so numbers can fall. */
static void tell_way(const struct seen *s, uint64_t to, unsigned last,
                     const struct search_options *o)
{
    static struct choice choices[SEARCH_CHOICES_MAX];
    static struct world w;
    unsigned steps = 1, tick = 0;
    uint8_t *way;

    for (uint64_t i = to; i > 0; i = s->from[i])
        steps++;
    way = calloc(steps, 1);
    if (!way)
        return;
    way[steps - 1] = (uint8_t)last;
    for (uint64_t i = to, at = steps - 1; i > 0; i = s->from[i])
        way[--at] = s->choice[i];
    world_init(&w, o->deviations, o->orders);
    for (unsigned i = 0; i < steps; i++) {
        (void)world_choices(&w, choices);

        struct choice c = choices[way[i]];
        char name = w.nodes[c.node].name;

        world_apply(&w, &c);
        tick += c.kind == CHOICE_TICK || c.kind == CHOICE_CLOCK_SLOW;
        tell(&w, tick, &c, name);
        if (w.violation != VIOLATION_NONE && i == steps - 1)
            printf("VIOLATION: %s: %s\n", violation_name(w.violation), w.text);
        pack_by_name(&w);
    }
    free(way);
}

/* ---- searching ---- */

struct search {
    const struct search_options *o;
    struct seen seen;
    struct queue now, next;
    struct result result;
};

/* Looks at all that can happen in one state; false: enough. */
static bool expand(struct search *s, const struct world *w, uint64_t number)
{
    static struct choice choices[SEARCH_CHOICES_MAX];
    static struct world after;
    uint8_t packed[SEARCH_PACKED_MAX];
    unsigned n = world_choices(w, choices);

    assert(n > 0 && n <= SEARCH_CHOICES_MAX);
    for (unsigned i = 0; i < n; i++) {
        after = *w;
        world_apply(&after, &choices[i]);
        s->result.transitions++;
        if (after.violation != VIOLATION_NONE &&
            (s->o->only == VIOLATION_NONE || s->o->only == after.violation)) {
            s->result.violation = after.violation;
            if (!s->o->quiet)
                tell_way(&s->seen, number, i, s->o);
            return false;
        }

        size_t length = pack(&after, packed);

        s->result.longest = length > s->result.longest ? length : s->result.longest;
        if (!seen_add(&s->seen, print_of(packed, length), number, i))
            continue;
        if (s->seen.n == s->seen.max) {
            s->result.complete = false;
            return false;
        }
        queue_add(&s->next, packed, length);
    }
    return true;
}

/* All states that are one step further. */
static bool expand_level(struct search *s, uint64_t *number)
{
    static struct world w;

    for (size_t at = 0; at < s->now.used;) {
        uint16_t length;

        memcpy(&length, s->now.bytes + at, sizeof length);
        unpack(s->now.bytes + at + sizeof length, &w);
        at += sizeof length + length;
        if (!expand(s, &w, (*number)++))
            return false;
    }
    return true;
}

static void begin(struct search *s)
{
    static struct world w;
    uint8_t packed[SEARCH_PACKED_MAX];

    world_init(&w, s->o->deviations, s->o->orders);

    size_t length = pack(&w, packed);

    (void)seen_add(&s->seen, print_of(packed, length), 0, 0);
    queue_add(&s->now, packed, length);
    s->result.complete = true;
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct result search(const struct search_options *o)
{
    struct search s = {.o = o};
    uint64_t number = 0;
    double began = seconds();

    seen_open(&s.seen, o->states_max);
    begin(&s);
    while (s.now.used > 0) {
        struct queue spare = s.now;

        if (!expand_level(&s, &number))
            break;
        s.result.depth++;
        s.now = s.next;
        s.next = spare;
        s.next.used = 0;
    }
    s.result.states = s.seen.n;
    s.result.seconds = seconds() - began;
    free(s.now.bytes);
    free(s.next.bytes);
    seen_close(&s.seen);
    return s.result;
}
