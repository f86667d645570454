/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_NONCE_H
#define TENURE_TESTS_SUPPORT_NONCE_H

#include "election/record.h"

/* Another one for each number, for tests that repeat themselves to the byte. */
static inline struct nonce nonce_of(uint8_t number)
{
    return (struct nonce){.bytes = {number, 0xaa}};
}

#endif
