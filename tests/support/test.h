/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_TEST_H
#define TENURE_TESTS_SUPPORT_TEST_H

/* Tests that register themselves: what is written is run, in the order of the source. A test
 * program is any number of files such as
 *
 *     TEST_CASE(tickets, .set_up = folder_make);
 *
 *     TEST(a_ticket_is_published_once)
 *     {
 *         ck_assert_int_eq(ticket_publish(folder(), &ticket), 0);
 *     }
 *
 *     TEST(a_damaged_ticket_is_refused, EACH(damaged))
 *     {
 *         ck_assert_int_lt(ticket_parse(damaged[_i], strlen(damaged[_i]), &ticket), 0);
 *     }
 *
 * main() is in this library, unless the program has its own, which then calls test_main(). */

#include <check.h>
#include <stdbool.h>

struct test_case {
    const char *name; /* what $CK_RUN_CASE selects */
    /* Once before the first test, in the program's own process. */
    void (*before_all)(void);
    /* Before and after each test, in its process. The second runs only if the test passes. */
    void (*set_up)(void);
    void (*tear_down)(void);
    int time_limit; /* of each test, in seconds; 0: Check's own */
};

struct test {
    const char *name;
    /* How often to run it, 0: once; _i counts up from `first`. */
    int times, first;
    int signal; /* that has to end it; 0: none */
    bool root;  /* left out unless the tests run as root */
};

/* A line of the source that begins a case or a test. */
struct test_entry {
    const char *file;
    int line;
    const struct test_case *begins; /* NULL: this is a test */
    const TTest *function;
    struct test test;
    struct test_entry *next;
};

/* TEST_CASE(NAME, .MEMBER = VALUE, …): the tests that follow in this file belong to it, until a
 * case begins after one of them. With several cases in a row all of them get the tests that follow.
 */
#define TEST_CASE(case_name, ...)                                                                  \
    __attribute__((constructor)) static void register_case_##case_name(void)                       \
    {                                                                                              \
        static const struct test_case begins = {.name = #case_name, __VA_ARGS__};                  \
        static struct test_entry entry = {.file = __FILE__, .line = __LINE__, .begins = &begins};  \
        test_register(&entry);                                                                     \
    }                                                                                              \
    _Static_assert(true, "takes the semicolon")

/* TEST(NAME, .MEMBER = VALUE, …), then its body in braces. */
#define TEST(test_name, ...)                                                                       \
    static const TTest *test_name;                                                                 \
    __attribute__((constructor)) static void register_test_##test_name(void)                       \
    {                                                                                              \
        static struct test_entry entry = {                                                         \
            .file = __FILE__, .line = __LINE__, .test = {.name = #test_name, __VA_ARGS__}};        \
        entry.function = test_name;                                                                \
        test_register(&entry);                                                                     \
    }                                                                                              \
    START_TEST(test_name)

/* As a member of TEST(): once for each element of the array, whose index is _i. */
#define EACH(array) .times = (int)(sizeof(array) / sizeof *(array))

/* Called by the macros. The entry is borrowed for good. */
void test_register(struct test_entry *entry);

/* Whether test_main() would only show what there is: then nothing needs to be set up for the tests.
 */
bool test_lists(int argc, char *const argv[]);

/* main() of a test program: runs all its tests, or only the tests and cases that the arguments
 * name; with --list it shows them instead. $CK_RUN_CASE, $CK_VERBOSITY and the like work as Check
 * says. Returns the exit status: EXIT_FAILURE also when no test ran, and 2 for a name that there is
 * not. */
int test_main(int argc, char *const argv[]);

#endif
