/* SPDX-License-Identifier: Apache-2.0 */
/* Linked into every program of a build with sanitizers for the lab. PID 1 sets a generator's
 * environment and discards its output: only its exit status, which PID 1 logs, shows that a
 * sanitizer has ended it. */

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
