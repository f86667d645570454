/* SPDX-License-Identifier: Apache-2.0 */
/* Another host with the name of this node. */
#include "fixture.h"

#define MY_NAMESAKE "db1/f0000000000000000000000000000002"

TEST_CASE(namesakes, .set_up = set_up);

static enum member_note read_again(void)
{
    f.now += SEC;
    ask();
    answer(OUTCOME_GRANTED);
    return f.u.note;
}

TEST(namesake_is_reported_once)
{
    own(&f.row, MY_NAMESAKE);
    first_seen();
    ck_assert_int_eq(f.u.note, NOTE_NONE);
    ck_assert_int_eq(read_again(), NOTE_NONE); /* an earlier boot's record keeps still */
    f.row.nonce = next_nonce();
    ck_assert_int_eq(read_again(), NOTE_NONE); /* once may be a late renewal of that boot */
    f.row.nonce = next_nonce();
    ck_assert_int_eq(read_again(), NOTE_NAMESAKE);
    f.row.nonce = next_nonce();
    ck_assert_int_eq(read_again(), NOTE_NONE);
}

/* Others' renewals, or a namesake's that claims again, are none. */
TEST(no_namesake, .times = 3)
{
    static const char *const owners[] = {OTHER, "db11/00000000000000000000000000000002",
                                         "db/00000000000000000000000000000002"};

    own(&f.row, owners[_i]);
    first_seen();
    for (int i = 0; i < 5; i++) {
        f.row.nonce = next_nonce();
        ck_assert_int_eq(read_again(), NOTE_NONE);
    }
}

TEST(namesake_is_counted_in_a_row)
{
    own(&f.row, MY_NAMESAKE);
    first_seen();
    for (int i = 0; i < 4; i++) {
        f.row.nonce = next_nonce();
        ck_assert_int_eq(read_again(), NOTE_NONE);
        if (i % 2 == 0)
            event(EVENT_CONNECTED);
        else {
            own(&f.row, OTHER);
            ck_assert_int_eq(read_again(), NOTE_NONE);
            own(&f.row, MY_NAMESAKE);
            f.row.nonce = next_nonce();
            ck_assert_int_eq(read_again(), NOTE_NONE);
        }
        f.row.term++; /* each boot's claim is one */
        f.row.nonce = next_nonce();
        ck_assert_int_eq(read_again(), NOTE_NONE);
    }
}
