/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_JOURNAL_H
#define TENURE_DAEMON_JOURNAL_H

/* Entries that people and monitoring match on: MESSAGE_ID=, and fields for the group. Without a
 * journal (JOURNAL_STREAM is not set) the text alone goes to standard error. */

#include <stdint.h>

/* group: NULL for what concerns the agent as a whole; term 0 and reason "" or NULL are left out. */
struct journal_context {
    const char *message_id;
    const char *node;
    const char *group;
    uint64_t term;
    const char *reason;
};

void journal_write(int priority, const struct journal_context *c, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
