/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/report_arbiter.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"

/* ---- one thing each ---- */

static void report_files(struct report *r, const struct trial *t, bool usable)
{
    for (size_t i = 0; i < t->hidden.n; i++)
        report_line(r, VERDICT_BAD, "files", "%s", t->hidden.text[i]);
    /* What is not used, and not needed, is a warning. */
    for (size_t i = 0; i < t->files.n; i++)
        report_line(r, usable ? VERDICT_WARNING : VERDICT_BAD, "files", "%s", t->files.text[i]);
    if (t->n_named > 0 && t->files_error < 0)
        report_line(r, VERDICT_UNKNOWN, "files", "those of conninfo could not be checked: %s",
                    strerror(-t->files_error));
    else if (t->n_named > 0 && t->files.n == 0)
        report_line(r, VERDICT_GOOD, "files", "%zu that conninfo names can be used%s", t->n_named,
                    t->as_agent ? " by user " TENURE_USER : " by this user");
    if (!t->as_agent)
        report_line(r, VERDICT_UNKNOWN, "user",
                    "this was tried as another user than the agent's: run it as root to know what "
                    "user " TENURE_USER " can read");
}

static void report_link(struct report *r, const struct attempt *a)
{
    report_line(r, link_is_sure(a->link) ? VERDICT_GOOD : VERDICT_WARNING, "encryption", "%s",
                link_explain(a->link));
}

static void report_writes(struct report *r, const struct attempt *a, bool require_sync)
{
    if (!a->writes)
        report_line(r, VERDICT_BAD, "writes", "%s: name the primary as well in host= of conninfo",
                    a->unwilling);
    else if (require_sync && !a->synchronous)
        report_line(r, VERDICT_BAD, "writes",
                    "require_sync is set, but synchronous_standby_names is empty on the server, so "
                    "nothing would be claimed or renewed: set it there, or take require_sync out");
    else if (a->alone)
        report_line(r, VERDICT_BAD, "writes", "%s", trial_alone_text);
    else
        report_line(r, VERDICT_GOOD, "writes", "%s",
                    a->synchronous ? "it takes them, and waits for a standby" : "it takes them");
}

static void report_grants(struct report *r, const struct attempt *a)
{
    char rest[ATTEMPT_GRANTS_MAX], *place = NULL;

    (void)snprintf(rest, sizeof rest, "%s", a->grants);
    for (char *what = strtok_r(rest, ";", &place); what; what = strtok_r(NULL, ";", &place)) {
        what += *what == ' ';
        report_line(r, VERDICT_BAD, "grants",
                    "role %s lacks %s: as the owner of the schema run grant %s to \"%s\"", a->role,
                    what, what, a->role);
    }
    if (!a->grants[0])
        report_line(r, VERDICT_GOOD, "grants", "role %s has all that the agent uses", a->role);
}

/* Of a server that takes writes. */
static void report_schema(struct report *r, const struct attempt *a)
{
    if (a->schema[0]) {
        report_line(r, VERDICT_BAD, "schema", "%s", a->schema);
        return;
    }
    report_line(r, VERDICT_GOOD, "schema", "it is there%s",
                a->grants[0] ? "" : ", of this version");
    report_grants(r, a);
    if (a->grants[0])
        return;
    if (a->trial[0])
        report_line(r, VERDICT_BAD, a->row_security ? "rows" : "trial", "%s", a->trial);
    else if (a->row_security)
        report_line(r, VERDICT_WARNING, "rows",
                    "row level security is on for tenure.lease; its policies let a new group "
                    "through, and may hide another: run alter table tenure.lease disable row level "
                    "security");
    else
        report_line(r, VERDICT_GOOD, "trial",
                    "a group was claimed, renewed and released, and all of it rolled back");
}

/* ---- the hosts ---- */

/* All findings about the one that would be used. */
static void report_best(struct report *r, const struct attempt *a, bool require_sync)
{
    if (a->stage < ATTEMPT_REACHED) {
        report_line(r, a->error < 0 ? VERDICT_UNKNOWN : VERDICT_BAD, "arbiter", "%s: %s", a->where,
                    a->text);
        return;
    }
    report_line(r, VERDICT_GOOD, "arbiter", "%s answers", a->where);
    if (a->stage == ATTEMPT_REACHED) {
        report_line(r, a->error < 0 ? VERDICT_UNKNOWN : VERDICT_BAD, "login", "%s", a->text);
        return;
    }
    report_line(r, VERDICT_GOOD, "login", "PostgreSQL %d.%d, database %s, role %s",
                a->version / 10000, a->version % 10000, a->database, a->role);
    report_link(r, a);
    if (a->stage != ATTEMPT_OVER) {
        report_line(r, VERDICT_BAD, "answers", "%s", a->text);
        return;
    }
    report_writes(r, a, require_sync);
    if (a->writes)
        report_schema(r, a);
}

/* Another name of the server that is used? A standby that was promoted has another timeline. */
static bool is_same(const struct attempt *a, const struct attempt *b)
{
    return a->epoch.system_id == b->epoch.system_id && a->epoch.timeline == b->epoch.timeline;
}

/* Also by target_session_attrs=read-write, which libpq reports itself. */
static bool is_standby(const struct attempt *a)
{
    return (a->stage == ATTEMPT_OVER && !a->writes) ||
           (a->stage == ATTEMPT_REACHED && (strstr(a->text, "session is read-only") ||
                                            strstr(a->text, "server is in hot standby mode")));
}

static void report_other(struct report *r, const struct attempt *a, const struct attempt *best)
{
    char obstacle[ARBITER_TEXT_MAX];
    bool usable = attempt_usable(best);

    if (attempt_usable(a) && is_same(a, best))
        report_line(r, VERDICT_GOOD, "arbiter", "%s: the same server", a->where);
    else if (attempt_usable(a))
        report_line(r, VERDICT_WARNING, "arbiter",
                    "%s takes writes as well: hosts that use different servers lead at once; name "
                    "one server, and its standbys alone",
                    a->where);
    else if (is_standby(a))
        report_line(r, VERDICT_GOOD, "arbiter", "%s: %s", a->where,
                    trial_obstacle(a, obstacle, sizeof obstacle));
    else if (a->error < 0)
        report_line(r, VERDICT_UNKNOWN, "arbiter", "%s: %s", a->where, a->text);
    else
        report_line(r, usable ? VERDICT_WARNING : VERDICT_BAD, "arbiter", "%s: %s", a->where,
                    trial_obstacle(a, obstacle, sizeof obstacle));
}

void report_arbiter(struct report *r, const struct trial *t, bool require_sync)
{
    assert(r);
    assert(t);

    const struct attempt *best = trial_best(t);
    bool usable = trial_usable(t);

    if (t->error == -ESRCH) {
        report_line(r, VERDICT_BAD, "user",
                    "there is no user " TENURE_USER ": run systemd-sysusers");
        return;
    }
    if (t->error < 0 || !best) {
        report_line(r, VERDICT_UNKNOWN, "arbiter", "it could not be tried: %s",
                    strerror(t->error < 0 ? -t->error : EIO));
        return;
    }
    report_files(r, t, usable);
    report_best(r, best, require_sync);
    for (size_t i = 0; i < t->n; i++)
        if (&t->attempts[i] != best)
            report_other(r, &t->attempts[i], best);
}
