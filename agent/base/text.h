/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_TEXT_H
#define TENURE_BASE_TEXT_H

/* Text from outside: what a server, a library, PID 1 or a name server says. It goes to the journal,
 * to terminals, and to D-Bus, which refuses a whole answer for one string that is not UTF-8. */

#include <stddef.h>

/* The border that such text passes: one line, no blanks at its ends or twice in a row, valid UTF-8
 * as D-Bus has it, nothing that a terminal would act on. What was cut is cut between characters.
 * Copies text (NULL: "") into ret, which may be text itself. Returns ret. */
const char *text_clean(const char *text, char *ret, size_t size);

#endif
