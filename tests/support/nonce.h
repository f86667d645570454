/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_NONCE_H
#define TENURE_TESTS_SUPPORT_NONCE_H

#include <stdbool.h>
#include <string.h>

#include "election/record.h"

static inline bool nonce_equal(const struct nonce *a, const struct nonce *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Another one for each number, for tests that repeat themselves to the byte. */
static inline struct nonce nonce_of(uint8_t number)
{
    return (struct nonce){.bytes = {number, 0xaa}};
}

#endif
