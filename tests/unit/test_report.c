/* SPDX-License-Identifier: Apache-2.0 */

/* What was seen of an arbiter as human-readable lines, and as an exit status for monitoring. */

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/as_agent.h"
#include "ctl/report_arbiter.h"
#include "support/test.h"
#include "support/text.h"

static char *said;

static void tear_down(void)
{
    free(said);
}

TEST_CASE(report, .tear_down = tear_down);

static const struct {
    size_t n[VERDICT_UNKNOWN + 1];
    enum ctl_status status;
    const char *sum;
} sums[] = {
    {{[VERDICT_GOOD] = 3}, CTL_OK, "all is well"},
    {{[VERDICT_GOOD] = 3, [VERDICT_WARNING] = 2}, CTL_CHECK_WARNING, "2 should be mended"},
    {{[VERDICT_WARNING] = 2, [VERDICT_UNKNOWN] = 1},
     CTL_CHECK_UNKNOWN,
     "1 could not be checked, 2 should be mended"},
    {{[VERDICT_BAD] = 1, [VERDICT_WARNING] = 2, [VERDICT_UNKNOWN] = 1},
     CTL_CHECK_BAD,
     "1 would keep the agent from leading, 1 could not be checked, 2 should be mended"},
};

TEST(what_is_worst_counts, EACH(sums))
{
    struct report r = {.f = stdout};
    char sum[256];

    memcpy(r.n, sums[_i].n, sizeof r.n);
    ck_assert_int_eq(report_status(&r), sums[_i].status);
    ck_assert_str_eq(report_sum(&r, sum, sizeof sum), sums[_i].sum);
    ck_assert_uint_eq(strlen(report_sum(&r, sum, 8)), 7);
}

/* A server with which all is well, over TLS that is verified. */
static struct trial good(void)
{
    struct trial t = {.as_agent = true, .n = 1};

    t.attempts[0] = (struct attempt){.stage = ATTEMPT_OVER,
                                     .where = "pg1:5432",
                                     .version = 150018,
                                     .role = "tenure",
                                     .database = "tenure",
                                     .link = LINK_VERIFIED,
                                     .writes = true};
    return t;
}

static enum ctl_status report(const struct trial *t, bool require_sync)
{
    size_t n;
    struct report r = {0};

    free(said);
    r.f = open_memstream(&said, &n);
    report_arbiter(&r, t, require_sync);
    ck_assert_int_eq(fclose(r.f), 0);
    return report_status(&r);
}

TEST(a_line_each)
{
    struct trial t = good();

    ck_assert_int_eq(report(&t, false), CTL_OK);
    ck_assert_str_eq(said,
                     "ok       arbiter    pg1:5432 answers\n"
                     "ok       login      PostgreSQL 15.18, database tenure, role tenure\n"
                     "ok       encryption TLS, and the server is who its name says "
                     "(sslmode=verify-full)\n"
                     "ok       writes     it takes them\n"
                     "ok       schema     it is there, of this version\n"
                     "ok       grants     role tenure has all that the agent uses\n"
                     "ok       trial      a group was claimed, renewed and released, and all of "
                     "it rolled back\n");
}

/* Each link, and whether somebody has to do something about it. */
static const struct {
    enum link link;
    enum ctl_status status;
    const char *fragment;
} links[] = {
    {LINK_LOCAL, CTL_OK, "nothing leaves this host"},
    {LINK_VERIFIED, CTL_OK, "who its name says"},
    {LINK_AUTHORITY, CTL_CHECK_WARNING, "any server with a certificate of this authority"},
    {LINK_UNVERIFIED, CTL_CHECK_WARNING, "TLS, not verified: "},
    {LINK_CLEAR, CTL_CHECK_WARNING, "not encrypted: "},
};

TEST(links_have_their_remedies, EACH(links))
{
    struct trial t = good();

    t.attempts[0].link = links[_i].link;
    ck_assert_int_eq(report(&t, false), links[_i].status);
    ASSERT_CONTAINS(said, links[_i].fragment);
    if (links[_i].status != CTL_OK)
        ASSERT_CONTAINS(said, "sslmode=verify-full");
}

TEST(grants_have_a_line_each)
{
    struct trial t = good();

    (void)snprintf(t.attempts[0].grants, sizeof t.attempts[0].grants,
                   "select on table tenure.lease; execute on function tenure.lock_key(text)");
    ck_assert_int_eq(report(&t, false), CTL_CHECK_BAD);
    ASSERT_CONTAINS(said, "BAD      grants     role tenure lacks select on table tenure.lease: as "
                          "the owner of the schema run grant select on table tenure.lease to "
                          "\"tenure\"\n");
    ASSERT_CONTAINS(said, "run grant execute on function tenure.lock_key(text) to \"tenure\"\n");
    ck_assert_ptr_null(strstr(said, "trial"));
}

TEST(another_server_that_takes_writes)
{
    struct trial t = good();

    t.n = 2;
    t.attempts[1] = t.attempts[0];
    ck_assert_int_eq(report(&t, false), CTL_OK);
    ASSERT_CONTAINS(said, "pg1:5432: the same server\n");
    t.attempts[1].epoch.timeline = 2;
    ck_assert_int_eq(report(&t, false), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(said, "takes writes as well: hosts that use different servers lead at once");
    t.attempts[1].writes = false;
    (void)snprintf(t.attempts[1].unwilling, sizeof t.attempts[1].unwilling, "a standby");
    ck_assert_int_eq(report(&t, false), CTL_OK); /* as it should be */
    t.attempts[1].stage = ATTEMPT_REACHED;
    (void)snprintf(t.attempts[1].text, sizeof t.attempts[1].text, "refused");
    ck_assert_int_eq(report(&t, false), CTL_CHECK_WARNING);
    (void)snprintf(t.attempts[1].text, sizeof t.attempts[1].text, "session is read-only");
    ck_assert_int_eq(report(&t, false), CTL_OK); /* target_session_attrs=read-write */
}

TEST(what_cannot_be_tried_is_not_known)
{
    struct trial t = good();

    t.error = -EMFILE;
    ck_assert_int_eq(report(&t, false), CTL_CHECK_UNKNOWN);
    ASSERT_CONTAINS(said, "could not be tried: Too many open files\n");
    t = good();
    t.as_agent = false;
    ck_assert_int_eq(report(&t, false), CTL_CHECK_UNKNOWN);
    ASSERT_CONTAINS(said, "run it as root");
}

TEST(what_fails_here_says_nothing_of_the_server)
{
    struct trial t = good();

    t.attempts[0] = (struct attempt){.stage = ATTEMPT_NOTHING, .error = -EAGAIN, .where = "pg1"};
    ck_assert_int_eq(report(&t, false), CTL_CHECK_UNKNOWN);
    t = good();
    t.n = 2;
    t.attempts[1] = (struct attempt){.stage = ATTEMPT_NOTHING, .error = -EAGAIN, .where = "pg1"};
    ck_assert_int_eq(report(&t, false), CTL_CHECK_UNKNOWN);
    t = good();
    t.n_named = 1;
    ck_assert_int_eq(report(&t, false), CTL_OK);
    t.files_error = -ETIMEDOUT;
    ck_assert_int_eq(report(&t, false), CTL_CHECK_UNKNOWN);
    ASSERT_CONTAINS(said, "unknown  files      those of conninfo could not be checked: Connection "
                          "timed out\n");
}

TEST(a_server_that_waits_for_a_standby_it_has_not)
{
    struct trial t = good();

    t.attempts[0].synchronous = t.attempts[0].alone = true;
    ck_assert_int_eq(report(&t, true), CTL_CHECK_BAD);
    ASSERT_CONTAINS(said, "BAD      writes     synchronous_standby_names is set and no standby");
    ck_assert(!trial_usable(&t));
}

TEST(the_best_address_counts)
{
    struct attempt usable = good().attempts[0], unprepared = usable, standby = usable;

    (void)snprintf(unprepared.schema, sizeof unprepared.schema, "missing");
    standby.writes = false;
    ck_assert(attempt_is_better(&usable, &unprepared));
    ck_assert(!attempt_is_better(&unprepared, &usable));
    ck_assert(attempt_is_better(&unprepared, &standby));
    ck_assert(!attempt_is_better(&usable, &usable));
    usable.stage = ATTEMPT_IN;
    ck_assert(attempt_is_better(&standby, &usable));
}

/* Whatever the other process wrote. */
TEST(an_attempt_is_settled)
{
    struct attempt a;

    memset(&a, 0xc3, sizeof a); /* the first half of a letter, without an end */
    attempt_settle(&a);
    ck_assert_int_eq(a.stage, ATTEMPT_NOTHING);
    ck_assert_int_eq(a.link, LINK_CLEAR);
    ck_assert_uint_lt(strlen(a.where), sizeof a.where);
    ck_assert_uint_lt(strlen(a.trial), sizeof a.trial);
    ck_assert_ptr_null(strchr(a.text, (char)0xc3));
    ck_assert_int_eq(a.writes, 1);
    ck_assert_int_eq(a.synchronous, 1);
    ck_assert_int_eq(a.row_security, 1);
}

/* ---- as the agent ---- */

static const char *agent_user(void)
{
    return geteuid() == 0 ? "nobody" : getpwuid(geteuid())->pw_name;
}

static void say_seven(void *userdata, void *answer)
{
    (void)userdata;
    *(int *)answer = 7;
}

static void hang(void *userdata, void *answer)
{
    (void)userdata;
    (void)answer;
    for (;;)
        (void)pause();
}

/* All are waited for until the same time, one after the other: one that hangs uses it up. */
TEST(an_answer_that_is_there_is_taken_late)
{
    struct as_agent first, second;
    int answer = 0;

    ck_assert_int_eq(as_agent_start(agent_user(), hang, NULL, sizeof answer, &first), 0);
    ck_assert_int_eq(as_agent_start(agent_user(), say_seven, NULL, sizeof answer, &second), 0);
    usec_t until = usec_add(clock_boottime(), 1 * USEC_PER_SEC);
    ck_assert_int_eq(as_agent_take(&first, &answer, sizeof answer, until), -ETIMEDOUT);
    ck_assert_uint_ge(clock_boottime(), until);
    ck_assert_int_eq(as_agent_take(&second, &answer, sizeof answer, until), 0);
    ck_assert_int_eq(answer, 7);
}

struct surroundings {
    bool leads_session, dumpable, has_others, speaks;
};

static void look_around(void *userdata, void *answer)
{
    struct surroundings *s = answer;
    struct stat null, st;

    s->leads_session = getsid(0) == getpid();
    s->dumpable = prctl(PR_GET_DUMPABLE) != 0;
    s->has_others = fcntl(*(const int *)userdata, F_GETFD) >= 0;
    for (int i = 0; i <= STDERR_FILENO; i++)
        s->speaks = s->speaks || stat("/dev/null", &null) < 0 || fstat(i, &st) < 0 ||
                    st.st_rdev != null.st_rdev;
}

TEST(who_tries_has_nothing_of_the_callers)
{
    int secret = fcntl(STDERR_FILENO, F_DUPFD, 100); /* without FD_CLOEXEC */
    struct surroundings seen;
    struct as_agent a;

    ck_assert_int_ge(secret, 100);
    ck_assert_int_eq(as_agent_start(agent_user(), look_around, &secret, sizeof seen, &a), 0);
    ck_assert_int_eq(
        as_agent_take(&a, &seen, sizeof seen, usec_add(clock_boottime(), 10 * USEC_PER_SEC)), 0);
    (void)close(secret);
    ck_assert(seen.leads_session);
    ck_assert(!seen.dumpable);
    ck_assert(!seen.has_others);
    ck_assert(!seen.speaks);
}
