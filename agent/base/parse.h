/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_PARSE_H
#define TENURE_BASE_PARSE_H

/* Strict parsing: no leading blanks, signs, garbage or overflow is ever let through. */

#include <stddef.h>
#include <stdint.h>

#include "base/usec.h"

/* Decimal digits only. Returns 0, -EINVAL, or -ERANGE on overflow; ret is then left alone. */
int parse_u64(const char *s, uint64_t *ret);

/* A time span as systemd writes it (systemd.time(7)): numbers with units us, ms, s (the default),
 * m/min, h/hr, d, w and their long forms, fractions ("1.5s"), several added up ("1min 30s").
 * Returns 0, -EINVAL, -ERANGE on overflow. */
int parse_span(const char *s, usec_t *ret);

#define SPAN_FORMAT_MAX 64

/* The reverse, exact to a millisecond and as short as can be: "1min 30s", "8.670s", "250ms", "0".
 * Returns ret. */
const char *format_span(usec_t span, char *ret, size_t size);

#endif
