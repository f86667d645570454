/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_LOG_H
#define TENURE_BASE_LOG_H

/* Plain messages to standard error, with the priority prefix of sd-daemon(3) when the journal
 * reads it (JOURNAL_STREAM is set). A function logs or returns its error, never both. */

#include <syslog.h>

#define LOG_LINE_MAX 2048

/* One line, cut at LOG_LINE_MAX; no allocation. Control characters from outside (server messages,
 * unit names) are replaced, so that one message is one line. */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From now on a message is lost rather than that this process waits for the reader of standard
 * error. It is the open file that changes: for a standard error that no other process shares. */
void log_never_wait(void);

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
/* Printed only with TENURE_DEBUG=1 in the environment. */
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
