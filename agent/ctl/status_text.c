/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status_text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/budget.h"
#include "base/parse.h"

#define CELL_MAX 96
#define DAY_SECONDS 86400
#define SAID_MIN 16 /* a shorter match says nothing */

enum column { COLUMN_GROUP, COLUMN_ROLE, COLUMN_TERM, COLUMN_LEADER, COLUMN_SINCE, COLUMN_RENEWED };
#define COLUMNS (COLUMN_RENEWED + 1)

static const char *const titles[COLUMNS] = {"GROUP", "ROLE", "TERM", "LEADER", "SINCE", "RENEWED"};

/* Local time, to the second. */
static const char *moment(usec_t realtime, char *ret, size_t size)
{
    time_t seconds = (time_t)(realtime / USEC_PER_SEC);
    struct tm tm;

    if (realtime == 0 || !localtime_r(&seconds, &tm) ||
        strftime(ret, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        (void)snprintf(ret, size, "-");
    return ret;
}

/* Short: tenths of a second for a while, then minutes and hours, then days. */
static const char *short_span(usec_t usec, char *ret, size_t size)
{
    usec_t seconds = usec / USEC_PER_SEC;

    if (seconds < 60)
        (void)snprintf(ret, size, "%" PRIu64 ".%" PRIu64 "s", seconds,
                       usec % USEC_PER_SEC / (USEC_PER_SEC / 10));
    else if (seconds < DAY_SECONDS)
        (void)snprintf(ret, size, "%" PRIu64 "h %02" PRIu64 "min", seconds / 3600,
                       seconds / 60 % 60);
    else
        (void)snprintf(ret, size, "%" PRIu64 " days", seconds / DAY_SECONDS);
    return ret;
}

static const char *age(usec_t usec, char *ret, size_t size)
{
    char span[SPAN_FORMAT_MAX];

    if (usec == USEC_INFINITY)
        (void)snprintf(ret, size, "never");
    else
        (void)snprintf(ret, size, "%s ago", short_span(usec, span, sizeof span));
    return ret;
}

/* How much of the wait for a lease that is not renewed is over. */
static const char *watched(const struct agent_group *g, char *ret, size_t size)
{
    char done[SPAN_FORMAT_MAX], whole[SPAN_FORMAT_MAX];

    (void)snprintf(ret, size, "unchanged for %s of %s", short_span(g->unchanged, done, sizeof done),
                   format_span(g->watch, whole, sizeof whole));
    return ret;
}

/* Judged by what this node has read, not only by the time: the lease was not renewed for longer
 * than a leader takes and this node needs to see it. Polls of this node fail, or a leader does not
 * renew, if one of them takes longer than two polls. */
static bool seems_dead(const struct agent_group *g)
{
    return g->watch > 0 && g->seen <= 2 * agent_poll(g) &&
           usec_sub(g->unchanged, g->seen) > 2 * agent_poll(g);
}

static const char *countdown(usec_t usec, char *ret, size_t size)
{
    if (usec < 60 * USEC_PER_SEC)
        return short_span(usec, ret, size);
    return format_span(usec - usec % USEC_PER_SEC, ret, size);
}

/* What this node has to see of the silence has an end; the silence has none. */
static usec_t silent_for(const struct agent_group *g)
{
    return g->renewed == USEC_INFINITY ? g->unchanged : usec_max(g->unchanged, g->renewed);
}

/* What follows if the leader does not renew. */
static void print_silence(FILE *f, const struct agent_group *g)
{
    char silent[SPAN_FORMAT_MAX], left[SPAN_FORMAT_MAX];

    if (!seems_dead(g))
        return;
    (void)fprintf(f, "; not renewed for %s", countdown(silent_for(g), silent, sizeof silent));
    if (g->claims_in != USEC_INFINITY && strcmp(g->role, "standby") == 0)
        (void)fprintf(f, ", this node takes over in %s unless another does before",
                      countdown(g->claims_in, left, sizeof left));
}

static const char *or_dash(const char *s)
{
    return *s ? s : "-";
}

static void cell(const struct agent_group *g, enum column column, char ret[static CELL_MAX])
{
    switch (column) {
    case COLUMN_GROUP:
        (void)snprintf(ret, CELL_MAX, "%s", g->name);
        break;
    case COLUMN_ROLE:
        (void)snprintf(ret, CELL_MAX, "%s", or_dash(g->role));
        break;
    case COLUMN_TERM:
        if (g->term > 0)
            (void)snprintf(ret, CELL_MAX, "%" PRIu64, g->term);
        else
            (void)snprintf(ret, CELL_MAX, "-");
        break;
    case COLUMN_LEADER:
        (void)snprintf(ret, CELL_MAX, "%s", or_dash(g->leader));
        break;
    case COLUMN_SINCE:
        (void)moment(g->leader_since, ret, CELL_MAX);
        break;
    case COLUMN_RENEWED:
        if (g->renewed == USEC_INFINITY)
            (void)snprintf(ret, CELL_MAX, "-");
        else
            (void)age(g->renewed, ret, CELL_MAX);
        break;
    }
}

static void print_table(FILE *f, const struct agent_view *v)
{
    int width[COLUMNS];
    char text[CELL_MAX];

    for (int c = 0; c < COLUMNS; c++) {
        width[c] = (int)strlen(titles[c]);
        for (size_t i = 0; i < v->n_groups; i++) {
            cell(&v->groups[i], (enum column)c, text);
            if ((int)strlen(text) > width[c])
                width[c] = (int)strlen(text);
        }
    }
    for (int c = 0; c < COLUMNS; c++)
        (void)fprintf(f, "%-*s  ", width[c], titles[c]);
    (void)fputs("REASON\n", f);
    for (size_t i = 0; i < v->n_groups; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            cell(&v->groups[i], (enum column)c, text);
            (void)fprintf(f, "%-*s  ", width[c], text);
        }
        (void)fputs(or_dash(v->groups[i].reason), f);
        print_silence(f, &v->groups[i]);
        (void)fputc('\n', f);
    }
}

static void print_watchdog(FILE *f, const struct watchdog *w)
{
    char span[SPAN_FORMAT_MAX] = "the device's own time";

    if (w->timeout != USEC_INFINITY)
        (void)format_span(w->timeout, span, sizeof span);
    switch (w->state) {
    case WATCHDOG_UNKNOWN:
        (void)fputs("   host: hardware watchdog unknown, systemd does not answer\n", f);
        return;
    case WATCHDOG_OFF:
        (void)fputs("   host: hardware watchdog not armed\n", f);
        return;
    case WATCHDOG_DEAD:
        (void)fprintf(
            f,
            "   host: hardware watchdog not armed: RuntimeWatchdogSec= is %s, but systemd "
            "has no device\n",
            span);
        return;
    case WATCHDOG_ARMED:
        (void)fprintf(f, "   host: hardware watchdog armed, %s", span);
        if (w->device[0])
            (void)fprintf(f, " (%s)", w->device);
        (void)fputc('\n', f);
        return;
    }
}

/* The line is made for `systemctl status`, too, and says what the arbiter says, to its end or as
 * far as there was room: that is above it already. */
static void print_status(FILE *f, const struct agent_view *v)
{
    size_t whole = strlen(v->arbiter);

    for (const char *p = v->status; whole > 0 && (p = strpbrk(p, ":;")); p++) {
        if (p[1] != ' ')
            continue;
        size_t rest = strlen(p + 2), said = rest < whole ? rest : whole;

        if (said >= SAID_MIN && strncmp(p + 2, v->arbiter, said) == 0) {
            (void)fprintf(f, " status: %.*s%s\n", (int)(p - v->status), v->status, p + 2 + said);
            return;
        }
    }
    (void)fprintf(f, " status: %s\n", or_dash(v->status));
}

static void print_head(FILE *f, const struct agent_view *v, const struct watchdog *w)
{
    (void)fprintf(f, "   node: %s\n", or_dash(v->node));
    (void)fprintf(f, "arbiter: %s%s\n", or_dash(v->arbiter),
                  v->connected ? "" : " (not connected)");
    print_status(f, v);
    print_watchdog(f, w);
}

void status_print_all(FILE *f, const struct agent_view *v, const struct watchdog *w)
{
    assert(f);
    assert(v);
    assert(w);

    print_head(f, v, w);
    (void)fputc('\n', f);
    if (v->n_groups == 0)
        (void)fputs("No groups are applied on this host.\n", f);
    else
        print_table(f, v);
}

void status_print_group(FILE *f, const struct agent_view *v, const struct watchdog *w,
                        const struct agent_group *g)
{
    assert(f);
    assert(v);
    assert(w);
    assert(g);

    char t[3][SPAN_FORMAT_MAX], text[CELL_MAX];

    (void)fprintf(f, "  group: %s\n", g->name);
    print_head(f, v, w);
    (void)fprintf(f, "   role: %s\n", or_dash(g->role));
    (void)fprintf(f, " reason: %s", or_dash(g->reason));
    print_silence(f, g);
    (void)fputc('\n', f);
    cell(g, COLUMN_TERM, text);
    (void)fprintf(f, "   term: %s\n", text);
    (void)fprintf(f, " leader: %s", or_dash(g->leader));
    if (g->leader_since > 0)
        (void)fprintf(f, ", since %s", moment(g->leader_since, text, sizeof text));
    (void)fprintf(f, "\n   seen: %s", age(g->seen, text, sizeof text));
    if (g->watch > 0)
        (void)fprintf(f, ", %s", watched(g, text, sizeof text));
    (void)fputc('\n', f);
    if (g->deadline > 0)
        (void)fprintf(f, "   left: %s of this term unless it is renewed\n",
                      format_span(g->deadline, t[0], sizeof t[0]));
    (void)fprintf(f, " method: %s, lease %s", or_dash(g->method),
                  format_span(g->lease, t[0], sizeof t[0]));
    if (g->configured > 0 && g->configured != g->lease)
        (void)fprintf(f, " (%s is configured)", format_span(g->configured, t[0], sizeof t[0]));
    (void)fprintf(f, ", stop timeout %s, renewed for %s\n",
                  format_span(g->stop_timeout, t[1], sizeof t[1]),
                  format_span(g->keeper_duration, t[2], sizeof t[2]));
    for (size_t i = 0; i < g->n_units; i++)
        (void)fprintf(f, "%s %s: %s (%s)\n", i == 0 ? "  units:" : "        ", g->units[i].name,
                      g->units[i].active_state, g->units[i].sub_state);
}
