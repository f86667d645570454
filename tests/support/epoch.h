/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_EPOCH_H
#define TENURE_TESTS_SUPPORT_EPOCH_H

#include <stdbool.h>

#include "election/record.h"

static inline bool history_equal(const struct epoch *a, const struct epoch *b)
{
    return a->system_id == b->system_id && a->timeline == b->timeline;
}

static inline bool epoch_equal(const struct epoch *a, const struct epoch *b)
{
    return history_equal(a, b) && a->started == b->started;
}

#endif
