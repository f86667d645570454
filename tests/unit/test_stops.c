/* SPDX-License-Identifier: Apache-2.0 */
/* Which properties of a unit that has stopped prove that nothing of it is left. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "host/stops.h"
#include "support/test.h"
#include "support/text.h"

#define ID "0123456789abcdef0123456789abcdef"
#define BEGAN ((usec_t)1000000)
#define LOADED_BEFORE (BEGAN - 100)
#define LOADED_SINCE (BEGAN + 100)

/* ---- the rule ---- */

TEST_CASE(rule);

TEST(all_combinations)
{
    unsigned proven = 0;

    for (unsigned facts = 0; facts <= STOP_FACTS_ALL; facts++)
        for (int keeps = 0; keeps < 2; keeps++)
            for (int started = 0; started < 2; started++) {
                enum stop_verdict v = stop_decide(keeps, started, facts);
                enum stop_verdict expected = STOP_PROVEN;

                if (keeps && started) {
                    if (!(facts & STOP_FACT_CLEAN))
                        expected = STOP_UNCLEAN;
                    if (!(facts & STOP_FACT_SUCCESS))
                        expected = STOP_FAILED;
                    if (!(facts & STOP_FACT_SAME))
                        expected = STOP_CHANGED;
                    if (!(facts & STOP_FACT_LOADED))
                        expected = STOP_NOT_LOADED;
                    if (!(facts & STOP_FACT_RUN_KNOWN))
                        expected = STOP_FORGOTTEN;
                    proven += v == STOP_PROVEN;
                }
                ck_assert_int_eq(v, expected);
            }
    ck_assert_uint_eq(proven, 1); /* all of it, and nothing less */
}

/* ---- properties ---- */

TEST_CASE(properties);

static const struct unit_commands clean = {.n = 2, .n_clean = 2, .fingerprint = 7};

/* An address: oneshot, RemainAfterExit=yes, ExecStopPost=. It was up, and has stopped well. */
static struct unit_properties stopped(void)
{
    return (struct unit_properties){
        .load_state = "loaded",
        .active_state = "inactive",
        .result = "success",
        .invocation = ID,
        .remain_after_exit = true,
        .inactive_exit = BEGAN,
        .active_enter = BEGAN + 1,
        .exec_stop_post = clean,
    };
}

static struct stop_began begun(void)
{
    struct unit_properties p = stopped();
    struct stop_began b = {.was_up = true, .since = BEGAN - 1};

    struct stop_seen seen;

    stop_see(&seen, &p);
    ck_assert(!seen.up && seen.run == BEGAN);
    b.as = seen.as;
    ck_assert(b.as.known && b.as.commands && b.as.remains && b.as.fingerprint != 0);
    return b;
}

static void judged(const struct stop_began *b, const char *unit, const struct unit_properties *p,
                   usec_t load_stamp, enum stop_verdict verdict, const char *says)
{
    char problem[HOST_PROBLEM_MAX] = "nothing";
    enum stop_verdict v = stop_judge(b, unit, p, load_stamp, problem);

    ck_assert_msg(v == verdict, "%d, not %d: %s", (int)v, (int)verdict, problem);
    if (verdict == STOP_PROVEN) {
        ck_assert_str_eq(problem, "");
        return;
    }
    ck_assert_msg(strncmp(problem, unit, strlen(unit)) == 0, "unit not named: %s", problem);
    ASSERT_CONTAINS(problem, says);
}

/* b and p are begun() and stopped() but for the change. */
#define JUDGED(unit, load_stamp, verdict, says, change)                                            \
    do {                                                                                           \
        struct stop_began b = begun();                                                             \
        struct unit_properties p = stopped();                                                      \
        change;                                                                                    \
        judged(&b, unit, &p, load_stamp, verdict, says);                                           \
    } while (0)
#define PROVEN(change) JUDGED("a.service", LOADED_BEFORE, STOP_PROVEN, "", change)
#define NOT(verdict, says, change) JUDGED("a.service", LOADED_BEFORE, verdict, says, change)

static struct unit_commands unclean(unsigned n, unsigned n_clean, bool ran, int code, int status)
{
    return (struct unit_commands){
        .n = n, .n_clean = n_clean, .fingerprint = 7, .ran = ran, .code = code, .status = status};
}

TEST(an_address_that_stopped)
{
    PROVEN((void)0);
}

TEST(an_address_that_did_not)
{
    /* ExecStop= failed, could not be executed, ExecStopPost= failed. */
    NOT(STOP_FAILED, "ActiveState is failed, Result is exit-code; ExecStopPost= exited with 1",
        (strcpy(p.active_state, "failed"), strcpy(p.result, "exit-code"),
         p.exec_stop_post = unclean(2, 0, true, CLD_EXITED, 1)));
    /* Cut short by cgroup.kill, or by its stop timeout. */
    NOT(STOP_FAILED, "Result is signal; ExecStopPost= was killed by signal 9",
        (strcpy(p.active_state, "failed"), strcpy(p.result, "signal"),
         p.exec_stop_post = unclean(2, 1, true, CLD_KILLED, 9)));
    NOT(STOP_FAILED, "Result is timeout",
        (strcpy(p.active_state, "failed"), strcpy(p.result, "timeout")));
    /* ExecStop= failed, and then ExecStopPost= did well. */
    NOT(STOP_FAILED, "ExecStop= exited with 1",
        (strcpy(p.active_state, "failed"), strcpy(p.result, "exit-code"),
         p.exec_stop = unclean(1, 0, true, CLD_EXITED, 1),
         b.as.fingerprint = b.as.fingerprint + 7 * 31 * 31));
    /* reset-failed makes it inactive, and its Result success. */
    NOT(STOP_UNCLEAN, "was killed by signal 9",
        p.exec_stop_post = unclean(2, 1, true, CLD_KILLED, 9));
    /* ExecStopPost=-…: PID 1 ignores its failure. */
    NOT(STOP_UNCLEAN, "ExecStopPost= exited with 3",
        p.exec_stop_post = unclean(2, 1, true, CLD_EXITED, 3));
    /* A daemon-reload in between. */
    NOT(STOP_UNCLEAN, "did not run, or", p.exec_stop_post = unclean(2, 0, false, 0, 0));
    NOT(STOP_FAILED, "Result is ", p.result[0] = '\0');
    NOT(STOP_FAILED, "ActiveState is failed, Result is success", strcpy(p.active_state, "failed"));
}

TEST(an_address_whose_unit_is_another_now)
{
    /* Masked, removed or replaced while it was up: inactive, success, and not a command that
     * failed. */
    NOT(STOP_NOT_LOADED, "LoadState is masked",
        (strcpy(p.load_state, "masked"), p.exec_stop_post = (struct unit_commands){0}));
    NOT(STOP_NOT_LOADED, "LoadState is not-found",
        (strcpy(p.load_state, "not-found"), p.exec_stop_post = (struct unit_commands){0}));
    JUDGED("a.service", LOADED_SINCE, STOP_CHANGED, "not those it was started with",
           p.exec_stop_post.fingerprint = 8);
    JUDGED("a.service", LOADED_SINCE, STOP_CHANGED, "not those it was started with",
           (p.exec_stop_post = (struct unit_commands){0}, p.remain_after_exit = false));
    /* A reload that changed nothing; a unit that was started again after one that did. */
    JUDGED("a.service", LOADED_SINCE, STOP_PROVEN, "", (void)0);
    PROVEN(p.exec_stop_post.fingerprint = 8);
    /* The same command, before ExecStop= and after it, is not the same. */
    JUDGED("a.service", LOADED_SINCE, STOP_CHANGED, "not those",
           (p.exec_stop = p.exec_stop_post, p.exec_stop_post = (struct unit_commands){0}));
    /* Unloaded, or the run is older than this term. */
    NOT(STOP_FORGOTTEN, "has unloaded it",
        (p.invocation[0] = '\0', p.inactive_exit = p.active_enter = 0,
         p.exec_stop_post = unclean(2, 0, false, 0, 0)));
    NOT(STOP_FORGOTTEN, "has unloaded it", b.since = BEGAN + 1);
}

TEST(what_was_proven_stays_so)
{
    /* A job that ran in the middle of the term, and a daemon-reload since: only of that run. */
    NOT(STOP_UNCLEAN, "did not run, or", p.exec_stop_post = unclean(2, 0, false, 0, 0));
    PROVEN((b.proven = BEGAN, p.exec_stop_post = unclean(2, 0, false, 0, 0)));
    PROVEN((b.proven = BEGAN, strcpy(p.load_state, "masked")));
    NOT(STOP_UNCLEAN, "did not run, or",
        (b.proven = BEGAN - 1, p.exec_stop_post = unclean(2, 0, false, 0, 0)));
    NOT(STOP_FORGOTTEN, "has unloaded it",
        (b.proven = BEGAN, p.invocation[0] = '\0', p.inactive_exit = p.active_enter = 0));
    NOT(STOP_FORGOTTEN, "has unloaded it",
        (p.invocation[0] = '\0', p.inactive_exit = p.active_enter = 0));
}

TEST(no_agent_ran_when_it_began)
{
    /* An agent that was restarted: what began with the files as they are is known all the same. */
    PROVEN(b.as.known = false);
    PROVEN((b.as.known = false, b.was_up = false, b.since = 0));
    JUDGED("a.service", LOADED_SINCE, STOP_CHANGED, "or it is not known", b.as.known = false);
    NOT(STOP_NOT_LOADED, "masked",
        (b.as.known = false, strcpy(p.load_state, "masked"),
         p.exec_stop_post = (struct unit_commands){0}, p.remain_after_exit = false));
    JUDGED("a.service", 0, STOP_PROVEN, "", b.as.known = false);
}

TEST(never_started_leaves_nothing)
{
    PROVEN((b.was_up = false, p.invocation[0] = '\0', p.inactive_exit = p.active_enter = 0,
            p.exec_stop_post = unclean(2, 0, false, 0, 0)));
    PROVEN((b = (struct stop_began){.since = 0},
            p = (struct unit_properties){.load_state = "not-found"}));
    /* Started in an earlier term, and it may be there since. */
    NOT(STOP_FAILED, "Result is signal",
        (b.was_up = false, strcpy(p.active_state, "failed"), strcpy(p.result, "signal")));
}

#define NO_COMMANDS                                                                                \
    (b.as.commands = false, p.exec_stop_post = (struct unit_commands){0}, b.as.fingerprint = 0)

TEST(processes_alone)
{
    /* SIGKILL ended it, or it died: it is dead. */
    PROVEN((NO_COMMANDS, b.as.remains = p.remain_after_exit = false,
            strcpy(p.active_state, "failed"), strcpy(p.result, "timeout")));
    PROVEN(
        (NO_COMMANDS, b.as.remains = p.remain_after_exit = false, strcpy(p.load_state, "masked")));
    /* It was "active (exited)". */
    NOT(STOP_FAILED, "Result is timeout",
        (NO_COMMANDS, strcpy(p.active_state, "failed"), strcpy(p.result, "timeout")));
    NOT(STOP_NOT_LOADED, "masked", (NO_COMMANDS, strcpy(p.load_state, "masked")));
    PROVEN(NO_COMMANDS);
    /* It never was: its start failed. */
    PROVEN((NO_COMMANDS, strcpy(p.active_state, "failed"), strcpy(p.result, "exit-code"),
            p.active_enter = BEGAN - 50));
    /* With commands that counts, too: what the start had done is not known. */
    NOT(STOP_FAILED, "exit-code",
        (strcpy(p.active_state, "failed"), strcpy(p.result, "exit-code"), p.active_enter = 0));
    /* A worker with ExecStop= of its own. */
    NOT(STOP_FAILED, "timeout",
        (b.as.remains = p.remain_after_exit = false, strcpy(p.active_state, "failed"),
         strcpy(p.result, "timeout")));
}

TEST(other_kinds)
{
    /* PID 1 has a mount's state from the kernel. */
    JUDGED("srv.mount", LOADED_SINCE, STOP_PROVEN, "",
           (strcpy(p.active_state, "failed"), strcpy(p.result, "exit-code")));
    JUDGED("srv.mount", LOADED_SINCE, STOP_PROVEN, "", strcpy(p.load_state, "not-found"));
    JUDGED("a.timer", LOADED_SINCE, STOP_PROVEN, "", strcpy(p.active_state, "failed"));
    JUDGED("a.target", LOADED_SINCE, STOP_PROVEN, "", p.invocation[0] = '\0');
    JUDGED("a.path", LOADED_SINCE, STOP_PROVEN, "", strcpy(p.load_state, "masked"));
    JUDGED("a.socket", LOADED_BEFORE, STOP_PROVEN, "", NO_COMMANDS);
    JUDGED("a.socket", LOADED_BEFORE, STOP_FAILED, "Result is exit-code",
           (NO_COMMANDS, strcpy(p.active_state, "failed"), strcpy(p.result, "exit-code")));
    JUDGED("a.socket", LOADED_BEFORE, STOP_NOT_LOADED, "masked",
           (NO_COMMANDS, strcpy(p.load_state, "masked")));
    JUDGED("a.socket", LOADED_BEFORE, STOP_UNCLEAN, "ExecStopPre= exited with 1",
           (p.exec_stop_pre = unclean(1, 0, true, CLD_EXITED, 1),
            b.as.fingerprint = b.as.fingerprint + 7));
}

TEST(what_may_keep_something)
{
    struct stop_definition as = {.known = true};

    ck_assert(!stop_keeps("a.service", &as));
    ck_assert(!stop_keeps("a.timer", &as) && !stop_keeps("a.path", &as));
    ck_assert(!stop_keeps("a.target", &as));
    ck_assert(stop_keeps("a.socket", &as) && stop_keeps("a.mount", &as));
    as.commands = true;
    ck_assert(stop_keeps("a.service", &as) && !stop_keeps("a.timer", &as));
    as = (struct stop_definition){.known = true, .remains = true};
    ck_assert(stop_keeps("a.service", &as));
    as = (struct stop_definition){.known = false};
    ck_assert(stop_keeps("a.service", &as));
}

TEST(started_again_with_other_files)
{
    /* With commands that it did not have before, or had and has no more. */
    NOT(STOP_FAILED, "signal",
        (b.as = (struct stop_definition){.known = true}, strcpy(p.active_state, "failed"),
         strcpy(p.result, "signal")));
    PROVEN((p.exec_stop_post = (struct unit_commands){0}, p.remain_after_exit = false,
            strcpy(p.active_state, "failed"), strcpy(p.result, "signal")));
    /* The new files came after the run. */
    JUDGED("a.service", LOADED_SINCE, STOP_PROVEN, "",
           (b.as = (struct stop_definition){.known = true}, strcpy(p.active_state, "failed")));
}

/* ---- while it is up ---- */

TEST_CASE(up);

static struct unit_properties running(void)
{
    struct unit_properties p = stopped();

    strcpy(p.active_state, "active");
    return p;
}

static bool provable(struct stop_began *b, const char *unit, const struct unit_properties *p,
                     usec_t load_stamp, const char *says)
{
    char problem[HOST_PROBLEM_MAX] = "";
    struct stop_seen seen;

    stop_see(&seen, p);
    bool good = stop_provable(b, unit, &seen, load_stamp, problem);

    if (!good)
        ASSERT_CONTAINS(problem, says);
    return good;
}

TEST(what_happens_to_its_files)
{
    struct stop_began b = begun(), before = b;
    struct unit_properties p = running();

    ck_assert(provable(&b, "a.service", &p, LOADED_BEFORE, ""));
    ck_assert(provable(&b, "a.service", &p, LOADED_SINCE, ""));
    ck_assert_uint_eq(b.as.fingerprint, before.as.fingerprint);
    strcpy(p.load_state, "masked");
    ck_assert(!provable(&b, "a.service", &p, LOADED_SINCE, "a.service: LoadState is masked"));
    ck_assert(provable(&b, "a.mount", &p, LOADED_SINCE, ""));
    strcpy(p.load_state, "loaded");
    p.exec_stop_post.fingerprint = 8;
    ck_assert(!provable(&b, "a.service", &p, LOADED_SINCE, "were changed while it was up"));
    ck_assert_uint_eq(b.as.fingerprint, before.as.fingerprint);
    /* Started again with the new file: that is what counts from then on. */
    p.inactive_exit = LOADED_SINCE;
    ck_assert(provable(&b, "a.service", &p, LOADED_SINCE, ""));
    ck_assert_uint_ne(b.as.fingerprint, before.as.fingerprint);
    ck_assert(provable(&b, "a.service", &p, LOADED_SINCE, ""));
    p.exec_stop_post = (struct unit_commands){0};
    ck_assert(!provable(&b, "a.service", &p, LOADED_SINCE + 1, "were changed while it was up"));
}

TEST(whose_beginning_is_not_known)
{
    struct stop_began b = {.since = 0};
    struct unit_properties p = running();

    ck_assert(provable(&b, "a.service", &p, LOADED_SINCE, ""));
    ck_assert(!b.as.known);
    ck_assert(provable(&b, "a.service", &p, LOADED_BEFORE, ""));
    ck_assert(b.as.known);
}

TEST(that_keeps_nothing)
{
    struct stop_began b = {.as.known = true};
    struct unit_properties p = running();

    p.exec_stop_post = (struct unit_commands){0};
    p.remain_after_exit = false;
    strcpy(p.load_state, "masked");
    ck_assert(provable(&b, "a.service", &p, LOADED_SINCE, ""));
    /* Started again, with a file by which it does keep something. */
    strcpy(p.load_state, "loaded");
    p.exec_stop = clean;
    p.inactive_exit = LOADED_SINCE;
    ck_assert(provable(&b, "a.service", &p, LOADED_SINCE, ""));
    ck_assert(b.as.commands);
}
