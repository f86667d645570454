/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_LIBCONFIG_LEAKS_H
#define TENURE_TESTS_SUPPORT_LIBCONFIG_LEAKS_H

/* libconfig 1.5 loses the text of a string (strbuf_append() in its scanner) when a file ends within
 * it. Nothing else is let off: what the configuration allocates itself has no frame of the library
 * in its trace. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

#endif
