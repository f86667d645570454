/* SPDX-License-Identifier: Apache-2.0 */

/* What of the agent is not the lab's business: is this host's clock within what the budget bears?
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/rate.h"

#define PPM 65536L /* of timex.freq */

static bool fits(long tick, long ppm)
{
    struct timex t = {.tick = tick, .freq = ppm * PPM};
    char text[RATE_TEXT_MAX] = "?";
    bool fit = rate_within(&t, text);

    /* The reason is there exactly when it is needed. */
    ck_assert_int_eq(fit, text[0] == '\0');
    return fit;
}

START_TEST(an_undisturbed_clock_fits)
{
    ck_assert(fits(10000, 0));
    ck_assert(fits(10000, 500)); /* as far as the kernel's own discipline goes */
    ck_assert(fits(10000, -500));
}
END_TEST

START_TEST(a_thousandth_is_the_limit)
{
    ck_assert(fits(10009, 99));
    ck_assert(!fits(10009, 100));
    ck_assert(!fits(10010, 0));
    ck_assert(fits(9991, -99));
    ck_assert(!fits(9991, -100));
    ck_assert(!fits(9990, 0));
    ck_assert(fits(10010, -1));    /* what counts is the sum */
    ck_assert(!fits(11000, -500)); /* chrony's fastest slew */
    ck_assert(!fits(9000, 500));
}
END_TEST

START_TEST(the_reason_names_the_rate)
{
    struct timex t = {.tick = 10500};
    char text[RATE_TEXT_MAX];

    ck_assert(!rate_within(&t, text));
    ck_assert_msg(strstr(text, "50000 ppm"), "%s", text);
}
END_TEST

START_TEST(the_rate_of_this_host_can_be_read)
{
    char text[RATE_TEXT_MAX];

    /* Whatever it is: if it is refused, then for its rate. */
    if (!rate_fit(text))
        ck_assert_msg(strstr(text, "ppm"), "%s", text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("daemon");
    TCase *t = tcase_create("rate");

    tcase_add_test(t, an_undisturbed_clock_fits);
    tcase_add_test(t, a_thousandth_is_the_limit);
    tcase_add_test(t, the_reason_names_the_rate);
    tcase_add_test(t, the_rate_of_this_host_can_be_read);
    suite_add_tcase(s, t);

    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
