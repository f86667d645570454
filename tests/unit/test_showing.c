/* SPDX-License-Identifier: Apache-2.0 */

/* What the agent shows of its groups is described again only when it may have changed. Here it is
 * also described at each turn, and both must say the same: on D-Bus, in the journal and in the
 * status line. Host, arbiter and clock are played; agent and election are the real ones. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/group.h"
#include "daemon/host_events.h"
#include "daemon/journal.h"
#include "daemon/link.h"
#include "daemon/status.h"
#include "daemon/tick.h"
#include "support/test.h"
#include "support/text.h"

#define SEC USEC_PER_SEC
#define TERM ((UINT64_C(3) << TERM_TIMELINE_SHIFT) + 7)
#define N 3
#define UNITS 2
#define TURNS 4000
/* With each seed at least so many groups are passed over, and so many turns show something: else
 * the comparison would prove nothing. */
#define SKIPPED_MIN 1000
#define SHOWN_MIN 300

static usec_t now;
static uint64_t seed;
static struct daemon d;
static struct tenure_config config = {.node = "n1"};
static struct config_group configs[N];
static struct group *list[N];
static const char *const names[N] = {"a", "b", "c"};
static char unit_names[UNITS][16] = {"x.service", "y.service"};
static char *unit_list[UNITS] = {unit_names[0], unit_names[1]};
static struct unit_view units[N][UNITS];
static struct group_view views[N];
static struct record records[N];
static const char *tickets, *polkit, *method_obstacle;
static char shown[65536]; /* in this turn, wherever */
static size_t n_skipped, n_shown;

static size_t draw(size_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(seed >> 33) % n;
}

__attribute__((format(printf, 1, 0))) static void show(const char *format, va_list ap)
{
    size_t used = strlen(shown);

    (void)vsnprintf(shown + used, sizeof shown - used, format, ap);
    used = strlen(shown);
    (void)snprintf(shown + used, sizeof shown - used, "\n");
}

/* ---- what the agent uses of the others ---- */

usec_t clock_boottime(void)
{
    return now;
}

usec_t clock_monotonic(void)
{
    return now;
}

ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < length; i++)
        ((unsigned char *)buffer)[i] = (unsigned char)draw(256);
    return (ssize_t)length;
}

void journal_write(int priority, const struct journal_context *c, const char *format, ...)
{
    va_list ap;

    (void)priority;
    (void)c;
    va_start(ap, format);
    show(format, ap);
    va_end(ap);
}

void log_line(int priority, const char *format, ...)
{
    va_list ap;

    (void)priority;
    va_start(ap, format);
    show(format, ap);
    va_end(ap);
}

__attribute__((format(printf, 1, 2))) static void show_line(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    show(format, ap);
    va_end(ap);
}

void notify_queue_status(struct notify_queue *p, const char *text)
{
    (void)p;
    show_line("STATUS=%s", text);
}

void api_manager_changed(struct api *a)
{
    (void)a;
    show_line("manager changed");
}

void api_group_changed(struct api *a, const char *group)
{
    (void)a;
    show_line("changed: %s", daemon_group(&d, group)->published);
}

const char *arbiter_obstacle(const struct arbiter *a, enum method method)
{
    (void)a;
    (void)method;
    return method_obstacle;
}

/* ask() sends by itself. */
bool arbiter_idle(const struct arbiter *a)
{
    (void)a;
    return false;
}

int arbiter_send(struct arbiter *a, const struct request *requests, size_t n, usec_t limit)
{
    (void)a;
    (void)requests;
    (void)n;
    (void)limit;
    return -ENOTCONN;
}

static size_t index_of(const char *group)
{
    return (size_t)(group[0] - 'a');
}

const struct group_view *host_view(const struct host *h, const char *group)
{
    (void)h;
    return &views[index_of(group)];
}

const char *host_ticket_problem(struct host *h)
{
    (void)h;
    return tickets;
}

const char *host_polkit_problem(const struct host *h)
{
    (void)h;
    return polkit;
}

int host_add_group(struct host *h, const char *group, const char *const *unit, size_t n_units,
                   usec_t stop)
{
    size_t i = index_of(group);

    (void)h;
    (void)unit;
    (void)stop;
    views[i] = (struct group_view){.units = units[i], .n_units = n_units, .stops = STOPS_NONE};
    for (size_t k = 0; k < UNITS; k++) {
        units[i][k] = (struct unit_view){.active_state = "active", .sub_state = "running"};
        (void)snprintf(units[i][k].name, sizeof units[i][k].name, "%s", unit_names[k]);
    }
    return 0;
}

int host_require_watchdog(struct host *h, const char *group, usec_t longest)
{
    (void)h;
    (void)group;
    (void)longest;
    return 0;
}

static void all_dead(size_t i)
{
    struct group_view *v = &views[i];

    v->state.keeper = KEEPER_GONE;
    v->state.keeper_term = 0;
    v->state.units_dead = v->state.slice_empty = true;
    for (size_t k = 0; k < UNITS; k++)
        units[i][k].dead = true;
}

static void show_keeper(const struct ticket *t)
{
    struct group_view *v = &views[index_of(t->group)];

    (void)snprintf(v->keeper_owner, sizeof v->keeper_owner, "%s", t->owner);
    v->state.keeper_term = t->term;
    v->state.keeper_fixed = t->version == TICKET_VERSION_FIXED;
    v->state.keeper_lease = t->lease;
    v->state.keeper_stop = t->stop;
    v->state.keeper_duration = t->duration;
    v->state.keeper_deadline = t->deadline;
}

static struct ticket published[N];

/* A keeper comes up at once, and its units with it. */
int host_write_ticket(struct host *h, const struct ticket *t)
{
    (void)h;
    published[index_of(t->group)] = *t;
    return 0;
}

int host_start_keeper(struct host *h, const char *group)
{
    struct group_view *v = &views[index_of(group)];

    (void)h;
    v->state.keeper = KEEPER_ACTIVE;
    show_keeper(&published[index_of(group)]);
    v->state.units_dead = v->state.slice_empty = false;
    v->stops = STOPS_OPEN;
    for (size_t k = 0; k < UNITS; k++)
        units[index_of(group)][k].dead = false;
    return 0;
}

int host_unlink_ticket(struct host *h, const char *group)
{
    (void)h;
    (void)group;
    return 0;
}

int host_extend_keeper(struct host *h, const struct ticket *t)
{
    (void)h;
    show_keeper(t);
    return 0;
}

int host_end_keeper(struct host *h, const struct ticket *t)
{
    (void)h;
    all_dead(index_of(t->group));
    return 0;
}

int host_stop_keeper(struct host *h, const char *group)
{
    (void)h;
    all_dead(index_of(group));
    return 0;
}

void host_end_term(struct host *h, const char *group)
{
    struct group_view *v = &views[index_of(group)];

    (void)h;
    v->ending = true;
    v->stops = draw(4) == 0 ? STOPS_LEFT : STOPS_GONE;
    (void)snprintf(v->left, sizeof v->left, "%s", v->stops == STOPS_LEFT ? "an address" : "");
}

int host_end_strays(struct host *h, const char *group)
{
    return host_stop_keeper(h, group);
}

int host_heal(struct host *h)
{
    (void)h;
    return 1;
}

void host_poll(struct host *h, const char *group)
{
    (void)h;
    (void)group;
}

/* ---- the arbiter ---- */

static bool is_ours(const struct record *r, const struct request *q)
{
    if (r->clean || r->term != q->term || strcmp(r->owner, d.owner) != 0)
        return false;
    for (unsigned i = 0; i < q->n_known; i++)
        if (nonce_equal(&q->known[i], &r->nonce))
            return true;
    return false;
}

static bool may_claim(const struct record *r, const struct request *q)
{
    return r->term == q->expected_term && nonce_equal(&r->nonce, &q->expected_nonce) &&
           (!q->rests_on_clean || r->clean);
}

static bool grant(struct record *r, const struct request *q)
{
    switch (q->operation) {
    case OPERATION_OBSERVE:
        return true;
    case OPERATION_CLAIM:
        if (!may_claim(r, q))
            return false;
        *r = (struct record){.term = usec_max(r->term + 1, q->term_floor),
                             .nonce = q->fresh_nonce,
                             .lease = q->lease,
                             .stop = q->stop,
                             .duration = q->duration};
        (void)snprintf(r->owner, sizeof r->owner, "%s", d.owner);
        return true;
    case OPERATION_RENEW:
        if (!is_ours(r, q))
            return false;
        r->nonce = q->fresh_nonce;
        r->lease = q->lease;
        r->duration = q->duration;
        return true;
    case OPERATION_RELEASE:
        if (!is_ours(r, q))
            return false;
        r->clean = r->claimable = true;
        return true;
    case OPERATION_CONFIRM_DEAD:
        break;
    }
    return false;
}

static struct reply reply_to(const struct request *q)
{
    struct reply reply = {.outcome = OUTCOME_UNKNOWN,
                          .epoch = {.system_id = 7, .timeline = 3, .started = 9}};
    struct record *r = &records[index_of(q->group)];

    if (draw(12) == 0)
        return reply;
    reply.outcome = grant(r, q) ? OUTCOME_GRANTED : OUTCOME_DENIED;
    reply.has_record = true;
    reply.record = *r;
    return reply;
}

static void ask(size_t i)
{
    struct member_event event = {.type = EVENT_SEND, .fit = d.fit, .may_claim = true};
    struct request request;

    if (!d.connected || member_due(&list[i]->member) > now)
        return;
    (void)getrandom(event.nonce.bytes, sizeof event.nonce.bytes, 0);
    if (!group_step(list[i], &event, &request))
        return;
    d.tick[0] = list[i];
    d.n_tick = 1;
    now += USEC_PER_MSEC;
    struct reply reply = reply_to(&request);
    if (reply.outcome == OUTCOME_UNKNOWN && draw(2))
        tick_held_up(&d, 0, draw(2) ? "process 7" : "process 8");
    tick_replies(&d, &reply, 1);
}

/* Another node claims, renews or releases. */
static void write_by_another(size_t i)
{
    struct record *r = &records[i];

    if (strcmp(r->owner, d.owner) != 0 || draw(8) == 0) {
        if (draw(3) == 0 || !r->owner[0])
            r->term++;
        (void)snprintf(r->owner, sizeof r->owner, "n2/1");
        r->clean = r->claimable = draw(3) == 0;
    }
    r->nonce.bytes[0]++;
}

/* ---- what happens ---- */

static void look(size_t i)
{
    struct group_view *v = &views[i];

    v->state.asked_at = now;
    now += USEC_PER_MSEC;
    v->state.open = v->ending && v->stops == STOPS_OPEN;
    v->state.left = v->stops == STOPS_LEFT;
    host_events_polled(&d, names[i]);
}

static void connect_arbiter(void)
{
    if (!d.connected)
        link_on_connected(&d, "PostgreSQL");
}

static void mend(size_t i)
{
    struct group_view *v = &views[i];

    tickets = polkit = "";
    method_obstacle = NULL;
    d.fit = true;
    d.bus_text[0] = '\0';
    link_on_locked(&d, NULL);
    connect_arbiter();
    v->state.guarded = true;
    v->problem[0] = v->doubt[0] = v->lost_copy[0] = '\0';
    v->unguarded = v->unarmed = v->lost = v->state.guards.outside = false;
    v->state.guards.state = GUARDS_WHOLE;
    if (v->stops == STOPS_LEFT)
        v->stops = STOPS_NONE;
    if (v->state.keeper == KEEPER_ACTIVE)
        for (size_t k = 0; k < UNITS; k++)
            units[i][k].dead = false;
    look(i);
}

static void flip_text(char *text, const char *other)
{
    (void)snprintf(text, HOST_PROBLEM_MAX, "%s", text[0] ? "" : other);
}

/* As after a daemon-reload, or while a check goes on: no member hears of it. The host changes these
 * together; here each may change alone. */
static void change_view(size_t i)
{
    struct group_view *v = &views[i];

    switch (draw(11)) {
    case 0:
        v->state.guarded = !v->state.guarded;
        flip_text(v->problem, "the guards are being checked");
        return;
    case 1:
        v->unguarded = !v->unguarded;
        return;
    case 2:
        v->lost = !v->lost;
        return;
    case 3:
        v->unarmed = !v->unarmed;
        return;
    case 4:
        v->state.guards.state =
            v->state.guards.state == GUARDS_UNKNOWN ? GUARDS_WHOLE : GUARDS_UNKNOWN;
        return;
    case 5:
        flip_text(v->doubt, "x.service");
        return;
    case 6:
        flip_text(v->lost_copy, "/run");
        return;
    case 7:
        v->stops = v->stops == STOPS_LEFT ? STOPS_NONE : STOPS_LEFT;
        flip_text(v->left, "an address");
        return;
    case 8:
        v->state.units_dead = !v->state.units_dead;
        return;
    case 9:
        units[i][0].dead = !units[i][0].dead;
        return;
    default:
        v->state.keeper = KEEPER_GONE;
        v->state.keeper_term = 0;
        return;
    }
}

static void change_unit(size_t i)
{
    struct unit_view *u = &units[i][draw(UNITS)];

    u->dead = !u->dead;
    (void)snprintf(u->active_state, sizeof u->active_state, "%s", u->dead ? "failed" : "active");
    look(i);
}

static void change_agent(void)
{
    switch (draw(8)) {
    case 0:
        link_on_locked(&d, draw(2) ? "process 9 has the table" : "process 10 has the table");
        return;
    case 1:
        link_on_lost(&d, draw(2) ? "no answer in time" : "connection refused");
        return;
    case 2:
        d.fit = !d.fit;
        (void)snprintf(d.unfit_text, sizeof d.unfit_text, "this host's clock runs away");
        return;
    case 3:
        (void)snprintf(d.bus_text, sizeof d.bus_text, "%s", d.bus_text[0] ? "" : "it was killed");
        return;
    case 4:
        tickets = *tickets ? "" : "no room in /run";
        return;
    case 5:
        polkit = *polkit ? "" : "no answer";
        return;
    case 6:
        method_obstacle = method_obstacle ? NULL : "a pool is in between";
        return;
    default:
        d.drain = d.drain == DRAIN_NONE ? DRAIN_RETIRE : DRAIN_NONE;
        return;
    }
}

static void change_part(size_t i)
{
    switch (draw(3)) {
    case 0:
        group_event(list[i], EVENT_STOP);
        return;
    case 1:
        group_event(list[i], EVENT_HINT);
        return;
    default:
        host_events_start_answered(&d, names[i], -1, "it cannot be started");
        return;
    }
}

static void wait_some(void)
{
    static const usec_t spans[] = {USEC_PER_MSEC, 200 * USEC_PER_MSEC, SEC, 4 * SEC, 20 * SEC};

    now += spans[draw(sizeof spans / sizeof spans[0])];
}

static void happen(void)
{
    size_t i = draw(N), what = draw(36);

    if (what == 0)
        change_view(i);
    else if (what == 1)
        change_agent();
    else if (what == 2)
        change_unit(i);
    else if (what == 3)
        change_part(i);
    else if (what < 6)
        write_by_another(i);
    else if (what < 9)
        wait_some();
    else if (what < 12) {
        for (size_t k = 0; k < N; k++) {
            group_event(list[k], EVENT_RESUME);
            mend(k);
        }
    } else if (what < 20)
        look(i);
    else if (what < 32)
        ask(i);
    else
        change_view(i);
    now += USEC_PER_MSEC;
    for (size_t k = 0; k < N; k++)
        if (member_wake(&list[k]->member) <= now)
            group_event(list[k], EVENT_CLOCK);
}

/* ---- comparing ---- */

static void publish(void)
{
    shown[0] = '\0';
    status_publish_groups(&d);
    status_publish_line(&d);
}

static void set_up(void)
{
    now = 1000 * SEC;
    tickets = polkit = "";
    d = (struct daemon){.config = &config,
                        .arbiter = (struct arbiter *)(void *)&now, /* never looked into */
                        .fit = true,
                        .groups = list,
                        .n_groups = N,
                        .notify = NOTIFY_CLOSED};
    (void)snprintf(d.owner, sizeof d.owner, "n1/1");
    for (size_t i = 0; i < N; i++) {
        configs[i] = (struct config_group){.units = unit_list, .n_units = UNITS};
        (void)snprintf(configs[i].name, sizeof configs[i].name, "%s", names[i]);
        ck_assert_int_eq(budget_compute(15 * SEC, 5 * SEC, &configs[i].budget), 0);
        ck_assert_int_eq(group_new(&d, &configs[i], &list[i]), 0);
        records[i] = (struct record){.term = TERM};
        all_dead(i);
    }
}

static void tear_down(void)
{
    for (size_t i = 0; i < N; i++)
        list[i] = group_free(list[i]);
}

TEST_CASE(showing, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

/* All of it is described again, and then only what may have changed. */
static void publish_both_ways(void)
{
    static struct group before[N];
    static char status[NOTIFY_STATUS_MAX], expected[sizeof shown];

    for (size_t i = 0; i < N; i++) {
        before[i] = *list[i];
        list[i]->changed = true;
    }
    (void)snprintf(status, sizeof status, "%s", d.status);
    publish();
    (void)snprintf(expected, sizeof expected, "%s", shown);
    for (size_t i = 0; i < N; i++)
        *list[i] = before[i];
    (void)snprintf(d.status, sizeof d.status, "%s", status);
    publish();
    ck_assert_msg(strcmp(shown, expected) == 0, "shown:\n%sinstead of:\n%s", shown, expected);
    for (size_t i = 0; i < N; i++)
        n_skipped += list[i]->well && before[i].well && !before[i].changed;
    n_shown += shown[0] != '\0';
}

TEST(what_is_passed_over_has_not_changed, .times = 20)
{
    seed = (uint64_t)_i + 1;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        happen();
        publish_both_ways();
    }
    ck_assert_uint_ge(n_skipped, SKIPPED_MIN);
    ck_assert_uint_ge(n_shown, SHOWN_MIN);
}

static void lead(void)
{
    group_event(list[0], EVENT_RESUME);
    mend(0);
    while (list[0]->member.state != MEMBER_LEADING) {
        look(0);
        ask(0);
        now += SEC;
    }
    look(0);
    publish_both_ways();
}

static void lose_guards(struct group_view *v, bool lost)
{
    v->lost = v->unguarded = lost;
    v->state.guarded = false;
    (void)snprintf(v->problem, sizeof v->problem, "BindsTo is lost");
}

static void disarm(struct group_view *v, bool lost)
{
    v->unarmed = v->unguarded = lost;
    v->state.guarded = false;
}

static void lose_copy(struct group_view *v, bool lost)
{
    (void)snprintf(v->lost_copy, sizeof v->lost_copy, "%s", lost ? "/run" : "");
    v->state.guards.state = lost ? GUARDS_PART : GUARDS_UNKNOWN;
}

static const struct {
    void (*lose)(struct group_view *v, bool lost);
    const char *logged, *taken_back;
} losses[] = {
    {lose_guards, "guards of the group are not in effect", "guards of the group are in effect"},
    {disarm, "the hardware watchdog", "the hardware watchdog is armed again"},
    {lose_copy, "one of the two copies", "both copies"},
};

/* While the guards are checked again, there is nothing to say of the group, and yet what was logged
 * is not over. */
TEST(what_was_logged_is_taken_back, EACH(losses))
{
    lead();
    losses[_i].lose(&views[0], true);
    publish_both_ways();
    if (losses[_i].lose == lose_copy) { /* it may be healed */
        now += HEAL_GRACE_USEC;
        publish_both_ways();
    }
    ASSERT_CONTAINS(shown, losses[_i].logged);
    losses[_i].lose(&views[0], false);
    publish_both_ways();
    publish_both_ways();
    ck_assert_ptr_null(strstr(shown, losses[_i].taken_back));
    views[0].state.guarded = true;
    views[0].state.guards.state = GUARDS_WHOLE;
    publish_both_ways();
    ASSERT_CONTAINS(shown, losses[_i].taken_back);
}
