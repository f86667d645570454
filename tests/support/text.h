/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_TEXT_H
#define TENURE_TESTS_SUPPORT_TEXT_H

#include <check.h>
#include <string.h>

/* The fragment is somewhere in the text. */
#define ASSERT_CONTAINS(text, fragment)                                                            \
    do {                                                                                           \
        const char *contains_text = (text), *contains_fragment = (fragment);                       \
        ck_assert_msg(strstr(contains_text, contains_fragment), "no \"%s\" in: %s",                \
                      contains_fragment, contains_text);                                           \
    } while (0)

#endif
