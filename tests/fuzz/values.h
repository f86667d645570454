/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_FUZZ_VALUES_H
#define TENURE_FUZZ_VALUES_H

/* D-Bus values of any type out of words, as busctl(1) takes them: an array is the number of its
 * elements and then these, a variant its signature and then its value. "\"\"" is the empty string,
 * "+" stands for a blank. */

#include <systemd/sd-bus.h>

#define VALUES_ELEMENTS_MAX 64

/* Appends values of these types. Returns 0 or negative errno: the message is then of no use. What
 * the words lack is 0, "" and "/". */
int values_append(sd_bus_message *m, const char *types, char **words);

#endif
