/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_JOURNAL_H
#define TENURE_DAEMON_JOURNAL_H

/* Entries that operators and monitoring match on: MESSAGE_ID=, and fields for the group. Without a
 * journal (JOURNAL_STREAM is not set) the text alone goes to standard error.
 *
 * Nothing waits for the journal: one that hangs, on a disk that does for one, must not cost a
 * lease. sd_journal_sendv(3) would wait, so entries are sent here, in the simple form of the
 * protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): one line each field. What the journal has
 * no room for goes to standard error as text, which journald reads later; a line for which there is
 * no room there either is lost. */

#include <stdint.h>

/* group: NULL for what concerns the agent as a whole; term 0 and reason "" or NULL are left out. */
struct journal_context {
    const char *message_id;
    const char *node;
    const char *group;
    uint64_t term;
    const char *reason;
};

/* From now on standard error does not wait either, if it is the journal. */
void journal_open(void);

void journal_write(int priority, const struct journal_context *c, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
