/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stops.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"

/* In the order in which they are named: what comes first explains what comes after it. */
static const struct {
    enum stop_fact fact;
    enum stop_verdict without;
} needed[] = {
    {STOP_FACT_RUN_KNOWN, STOP_FORGOTTEN}, {STOP_FACT_LOADED, STOP_NOT_LOADED},
    {STOP_FACT_SAME, STOP_CHANGED},        {STOP_FACT_SUCCESS, STOP_FAILED},
    {STOP_FACT_CLEAN, STOP_UNCLEAN},
};

enum stop_verdict stop_decide(bool keeps, bool started, unsigned facts)
{
    if (!keeps || !started)
        return STOP_PROVEN;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!(facts & (unsigned)needed[i].fact))
            return needed[i].without;
    return STOP_PROVEN;
}

static bool loaded(const struct unit_properties *p)
{
    return strcmp(p->load_state, "loaded") == 0;
}

static bool has_commands(const struct unit_properties *p)
{
    return p->exec_stop.n + p->exec_stop_post.n + p->exec_stop_pre.n > 0;
}

/* The place of each list counts, too. */
static uint64_t fingerprint(const struct unit_properties *p)
{
    uint64_t mixed = p->exec_stop.fingerprint;

    mixed = mixed * 31 + p->exec_stop_post.fingerprint;
    return mixed * 31 + p->exec_stop_pre.fingerprint;
}

static struct stop_definition definition(const struct unit_properties *p)
{
    return (struct stop_definition){
        .known = loaded(p),
        .commands = has_commands(p),
        .remains = p->remain_after_exit,
        .fingerprint = fingerprint(p),
    };
}

void stop_see(struct stop_seen *ret, const struct unit_properties *p)
{
    assert(ret);
    assert(p);

    *ret = (struct stop_seen){
        .as = definition(p), .up = !state_is_dead(p->active_state), .run = p->inactive_exit};
    (void)snprintf(ret->load_state, sizeof ret->load_state, "%s", p->load_state);
}

bool stop_keeps(const char *unit, const struct stop_definition *as)
{
    assert(as);

    switch (guard_type(unit)) {
    case GUARD_OF_SERVICE:
        return !as->known || as->commands || as->remains;
    case GUARD_OF_SOCKET:
    case GUARD_OF_MOUNT:
        return true;
    case GUARD_OF_OTHER:
    case GUARD_OF_KEEPER:
        return false;
    }
    return true;
}

/* Did the last run get so far that RemainAfterExit= had a meaning? A start that failed has left
 * nothing but processes. */
static bool was_active(const struct unit_properties *p)
{
    return !*p->invocation || p->active_enter >= p->inactive_exit;
}

static bool keeps(const struct stop_began *b, const char *unit, const struct unit_properties *p,
                  usec_t load_stamp)
{
    bool current = loaded(p) && p->inactive_exit >= load_stamp;
    struct stop_definition as = b->as.known && !current ? b->as : definition(p);

    if (guard_type(unit) == GUARD_OF_MOUNT)
        return false;
    if (guard_type(unit) == GUARD_OF_SERVICE && as.known && as.remains && !as.commands)
        return was_active(p);
    return stop_keeps(unit, &as);
}

static unsigned facts_of(const struct stop_began *b, const struct unit_properties *p,
                         usec_t load_stamp)
{
    const struct unit_commands *lists[] = {&p->exec_stop, &p->exec_stop_post, &p->exec_stop_pre};
    bool same =
        (b->as.known && b->as.fingerprint == fingerprint(p)) || load_stamp <= p->inactive_exit;
    unsigned facts = STOP_FACT_CLEAN;

    if (*p->invocation && (!b->was_up || p->inactive_exit >= b->since))
        facts |= STOP_FACT_RUN_KNOWN;
    if (loaded(p))
        facts |= STOP_FACT_LOADED;
    if (same)
        facts |= STOP_FACT_SAME;
    if (strcmp(p->active_state, "inactive") == 0 && strcmp(p->result, "success") == 0)
        facts |= STOP_FACT_SUCCESS;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (lists[i]->n_clean < lists[i]->n)
            facts &= ~(unsigned)STOP_FACT_CLEAN;
    return facts;
}

/* ---- words ---- */

/* "ExecStop= was killed by signal 9"; "" when all are clean. */
static void describe_commands(const struct unit_properties *p, char *ret, size_t size)
{
    const struct {
        const char *name;
        const struct unit_commands *commands;
    } lists[] = {
        {"ExecStopPre", &p->exec_stop_pre},
        {"ExecStop", &p->exec_stop},
        {"ExecStopPost", &p->exec_stop_post},
    };

    ret[0] = '\0';
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const struct unit_commands *c = lists[i].commands;

        if (c->n_clean == c->n)
            continue;
        if (!c->ran)
            (void)snprintf(ret, size, "%s= did not run, or a daemon-reload since has it forgotten",
                           lists[i].name);
        else if (c->code == CLD_EXITED)
            (void)snprintf(ret, size, "%s= exited with %d", lists[i].name, c->status);
        else
            (void)snprintf(ret, size, "%s= was killed by signal %d", lists[i].name, c->status);
        return;
    }
}

static void describe(enum stop_verdict verdict, const char *unit, const struct unit_properties *p,
                     char problem[static HOST_PROBLEM_MAX])
{
    char commands[96];

    describe_commands(p, commands, sizeof commands);
    switch (verdict) {
    case STOP_PROVEN:
        problem[0] = '\0';
        return;
    case STOP_FORGOTTEN:
        (void)snprintf(problem, HOST_PROBLEM_MAX,
                       "%s: systemd has unloaded it, and does not say how it stopped", unit);
        return;
    case STOP_NOT_LOADED:
        (void)snprintf(
            problem, HOST_PROBLEM_MAX,
            "%s: LoadState is %s, so it was stopped without the commands of its own file", unit,
            p->load_state);
        return;
    case STOP_CHANGED:
        (void)snprintf(problem, HOST_PROBLEM_MAX,
                       "%s: its commands for the stop are not those it was started with, or it is "
                       "not known whether they are",
                       unit);
        return;
    case STOP_FAILED:
        (void)snprintf(problem, HOST_PROBLEM_MAX, "%s: ActiveState is %s, Result is %s%s%s", unit,
                       p->active_state, p->result, *commands ? "; " : "", commands);
        return;
    case STOP_UNCLEAN:
        (void)snprintf(problem, HOST_PROBLEM_MAX, "%s: its stop was not clean: %s", unit, commands);
        return;
    }
}

/* ---- verdicts ---- */

enum stop_verdict stop_judge(const struct stop_began *b, const char *unit,
                             const struct unit_properties *p, usec_t load_stamp,
                             char problem[static HOST_PROBLEM_MAX])
{
    assert(b);
    assert(p);

    /* Since then a daemon-reload may have made PID 1 forget what it knew of that stop. */
    bool proven = b->proven > 0 && b->proven == p->inactive_exit;
    enum stop_verdict verdict =
        stop_decide(keeps(b, unit, p, load_stamp), !proven && (b->was_up || *p->invocation),
                    facts_of(b, p, load_stamp));

    describe(verdict, unit, p, problem);
    return verdict;
}

bool stop_provable(struct stop_began *b, const char *unit, const struct stop_seen *seen,
                   usec_t load_stamp, char problem[static HOST_PROBLEM_MAX])
{
    assert(b);
    assert(seen);

    const struct stop_definition *as = b->as.known ? &b->as : &seen->as;

    if (seen->as.known && seen->run >= load_stamp) {
        b->as = seen->as;
        return true;
    }
    if (guard_type(unit) == GUARD_OF_MOUNT || !stop_keeps(unit, as))
        return true;
    if (!seen->as.known) {
        (void)snprintf(problem, HOST_PROBLEM_MAX,
                       "%s: LoadState is %s, so it will be stopped without the commands of its own "
                       "file",
                       unit, seen->load_state);
        return false;
    }
    if (!b->as.known || b->as.fingerprint == seen->as.fingerprint)
        return true; /* if it is not known, that is reported when it matters */
    (void)snprintf(problem, HOST_PROBLEM_MAX,
                   "%s: its commands for the stop were changed while it was up, and those it was "
                   "started with will not run",
                   unit);
    return false;
}
