/* SPDX-License-Identifier: Apache-2.0 */
/* Linked into every program of a build with sanitizers for the lab. A generator's environment is
 * PID 1's choice, and what it says goes nowhere: that a sanitizer has ended it is told by its exit
 * status alone, which PID 1 writes to the journal. */

#define SANITIZERS_FOUND "exitcode=99"

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return SANITIZERS_FOUND;
}

const char *__ubsan_default_options(void)
{
    return SANITIZERS_FOUND;
}
