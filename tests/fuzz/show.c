/* SPDX-License-Identifier: Apache-2.0 */
/* Not a target: shows each input that it is given, a line of hexadecimal digits each. So
 * test_pack.py sees that what is replayed are the kept inputs, byte for byte. */
#include <stdio.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        (void)printf("%02x", data[i]);
    (void)putchar('\n');
    return 0;
}
