/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket, the surroundings, and what the keeper makes of them. */
#include "fixture.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/names.h"
#include "keeper/cgroup.h"

TEST_CASE(starting, .set_up = set_up, .tear_down = tear_down, .time_limit = TIME_LIMIT);

TEST(begins)
{
    struct ticket t = start_leading();
    struct stat st;

    ck_assert_ptr_null(file_get(in_folder(TICKETS INSTANCE)));
    ck_assert_ptr_null(file_get(in_folder(TICKETS "." INSTANCE)));
    ck_assert_str_eq(file_get(in_folder(RUNTIME "env")),
                     "TENURE_GROUP=my-group\nTENURE_TERM=4294967297\nTENURE_NODE=db1\n");
    ck_assert_uint_eq(deadline_in_state(), t.deadline);
    ck_assert_int_eq(stat(in_folder(RUNTIME "extend"), &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(in_folder(RUNTIME "env"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0644);

    uint64_t watchdog = 0;
    const char *span = strstr(notified, "WATCHDOG_USEC=");
    ck_assert_ptr_nonnull(span);
    ck_assert_int_eq(sscanf(span, "WATCHDOG_USEC=%" SCNu64, &watchdog), 1);
    ck_assert(watchdog > 0);
    ck_assert(watchdog <= t.duration + 50000);
    ASSERT_CONTAINS(notified, "STATUS=leads as node db1, term 4294967297");
}

/* With as many dashes as a slice's name has room for, see config/settings.c. */
TEST(the_longest_slice_is_opened)
{
    char group[GROUP_NAME_MAX + 1], escaped[GROUP_ESCAPED_MAX + 1], path[PATH_MAX];
    static const char *const files[] = {"cgroup.kill", "cgroup.stat", "cgroup.events"};
    struct slice slice;

    (void)snprintf(group, sizeof group, "aaaa");
    memset(group + 4, '-', 58);
    group[62] = '\0';
    ck_assert_int_eq(group_escaped(group, escaped, sizeof escaped), 0);
    ck_assert_uint_eq(strlen("tenure-.slice.wants") + strlen(escaped), UNIT_NAME_LEN_MAX);
    (void)snprintf(path, sizeof path, "tenure.slice/tenure-%s.slice", escaped);
    folder_make_folder(path);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "tenure.slice/tenure-%s.slice/%s", escaped, files[i]);
        folder_put(path, "");
    }
    ck_assert_int_eq(slice_open(folder(), group, &slice), 0);
    slice_close(&slice);
}

TEST(consumes_the_ticket_once)
{
    struct ticket t = start_leading();
    pid_t first = keeper;

    start_process(keeper_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert_int_eq(kill(first, 0), 0);
    ck_assert_uint_eq(deadline_in_state(), t.deadline); /* the first one's state is untouched */
    keeper = first;
}

/* Of many keepers that want one ticket at the same time, one gets it. */
TEST(one_of_many_gets_the_ticket)
{
    enum { MANY = 20 };
    struct ticket t = a_ticket();
    pid_t all[MANY];
    int running = 0;

    put_ticket(&t);
    for (int i = 0; i < MANY; i++) {
        start_process(keeper_run);
        all[i] = keeper;
    }
    (void)wait_notified("READY=1");
    pause_for(A_WHILE);
    for (int i = 0; i < MANY; i++) {
        int status;

        keeper = all[i];
        if (exited(&status))
            ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
        else {
            running++;
            (void)kill(all[i], SIGKILL);
            (void)waitpid(all[i], NULL, 0);
        }
    }
    keeper = -1;
    ck_assert_int_eq(running, 1);
}

static void spoil_late(struct ticket *t)
{
    t->deadline = clock_boottime() - 1;
}

static void spoil_far(struct ticket *t)
{
    t->deadline = clock_boottime() + t->duration + PATIENCE;
}

static void spoil_group(struct ticket *t)
{
    strcpy(t->group, "other");
}

static void spoil_budget(struct ticket *t)
{
    t->duration += 1000;
}

static void (*const spoilers[])(struct ticket *) = {spoil_late, spoil_far, spoil_group,
                                                    spoil_budget};

/* Nothing of a refused start is visible to anybody. */
static void assert_refused(void)
{
    start_process(keeper_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert(!take_notification(0));
    ck_assert(!state_there());
    ck_assert(!killed());
}

TEST(refuses_a_bad_ticket, EACH(spoilers))
{
    struct ticket t = a_ticket();

    spoilers[_i](&t);
    put_ticket(&t);
    assert_refused();
    ck_assert_ptr_null(file_get(in_folder(TICKETS INSTANCE))); /* gone all the same */
}

TEST(refuses_what_is_no_ticket)
{
    char text[4 * TICKET_SIZE_MAX];
    struct ticket t = a_ticket();

    assert_refused(); /* none at all */
    folder_put(TICKETS INSTANCE, "");
    assert_refused();
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    folder_put(TICKETS INSTANCE, text);
    assert_refused();
    ck_assert_int_gt(ticket_format(&t, text, sizeof text), 0);
    folder_put(TICKETS "elsewhere", text); /* a good one, behind a link */
    ck_assert_int_eq(symlink(in_folder(TICKETS "elsewhere"), in_folder(TICKETS INSTANCE)), 0);
    assert_refused();
    ck_assert_ptr_nonnull(file_get(in_folder(TICKETS "elsewhere")));
    ck_assert_int_eq(mkfifo(in_folder(TICKETS INSTANCE), 0666), 0); /* would wait for a writer */
    assert_refused();
    ck_assert_int_eq(mkdir(in_folder(TICKETS INSTANCE), 0755), 0);
    assert_refused();
}

TEST(refuses_without_its_surroundings)
{
    struct ticket t = a_ticket();
    const char *notify_socket = config.notify_socket;

    put_ticket(&t);
    config.notify_socket = NULL;
    assert_refused();
    ck_assert_ptr_nonnull(file_get(in_folder(TICKETS INSTANCE))); /* nothing done at all */
    config.notify_socket = notify_socket;
    config.instance = "my\\x2dgroup"; /* of an earlier version's keeper, which may only end */
    folder_put(TICKETS "my\\x2dgroup", "");
    assert_refused();
    ck_assert_ptr_nonnull(file_get(in_folder(TICKETS "my\\x2dgroup"))); /* nor this */
    config.instance = INSTANCE;
    ck_assert_int_eq(unlink(in_folder(CGROUP "cgroup.kill")), 0);
    assert_refused();
}

TEST(refuses_a_strangers_ticket, .root = true)
{
    struct ticket t = a_ticket();

    put_ticket(&t);
    ck_assert_int_eq(chown(in_folder(TICKETS INSTANCE), SOME_UID, SOME_UID), 0);
    assert_refused();
    config.uid = config.gid = SOME_UID; /* but of the agent's user */
    put_ticket(&t);
    ck_assert_int_eq(chown(in_folder(TICKETS INSTANCE), SOME_UID, SOME_UID), 0);
    start_process(keeper_run);
    (void)wait_notified("READY=1");
}

TEST(drops_to_the_agents_user, .root = true)
{
    char path[64], line[256];
    int seen = 0;
    struct stat st;

    config.uid = config.gid = SOME_UID;
    (void)start_leading();
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)keeper);
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "Uid:", 4) == 0 || strncmp(line, "Gid:", 4) == 0) {
            ck_assert_str_eq(line + 4, "\t4321\t4321\t4321\t4321\n");
            seen++;
        }
        if (strncmp(line, "CapPrm:", 7) == 0 || strncmp(line, "CapEff:", 7) == 0) {
            ck_assert_str_eq(line + 7, "\t0000000000000000\n");
            seen++;
        }
        if (strncmp(line, "Groups:", 7) == 0)
            ck_assert_str_eq(line + 7, "\t \n");
        if (strncmp(line, "NoNewPrivs:", 11) == 0) {
            ck_assert_str_eq(line + 11, "\t1\n");
            seen++;
        }
    }
    (void)fclose(f);
    ck_assert_int_eq(seen, 5);

    /* env is root's all the way up, state too; the directory of state is not. */
    ck_assert_int_eq(stat(in_folder(RUNTIME "env"), &st), 0);
    ck_assert_uint_eq(st.st_uid, 0);
    ck_assert_int_eq(stat(in_folder(RUNTIME "live/state"), &st), 0);
    ck_assert_uint_eq(st.st_uid, 0);
    ck_assert_int_eq(stat(in_folder(RUNTIME "live"), &st), 0);
    ck_assert_uint_eq(st.st_uid, SOME_UID);
    ck_assert_int_eq(stat(in_folder(RUNTIME "extend"), &st), 0);
    ck_assert_uint_eq(st.st_uid, SOME_UID);

    /* And so it can still end. */
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    ck_assert(!state_there());
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
