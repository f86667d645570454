/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_TICKET_FILES_H
#define TENURE_HOST_TICKET_FILES_H

/* The tickets of this host, a file for each group. Synchronous: the directory is in memory. It is
 * an argument for the tests' sake. */

#include "base/ticket.h"
#include "host/view.h"

/* See host_write_ticket(). */
int ticket_publish(const char *tickets_dir, const struct ticket *t);
int ticket_withdraw(const char *tickets_dir, const char *group);
/* Writes a ticket that no keeper can find, as it has no name. Returns 0, or a negative errno with
 * the reason and what to do about it in text. */
int tickets_try(const char *tickets_dir, char text[static HOST_TEXT_MAX]);

/* See host_clear_tickets(). */
int tickets_clear(const char *tickets_dir);

#endif
