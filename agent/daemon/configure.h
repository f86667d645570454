/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_CONFIGURE_H
#define TENURE_DAEMON_CONFIGURE_H

/* What is applied, and the change to something else. */

#include "daemon/state.h"

/* Returns 0, also when nothing usable is applied, or a negative errno. */
int configure_start(struct daemon *d);
/* Begins to change to what is applied. Returns 0, or -EBADMSG with the reason in text. */
int configure_begin(struct daemon *d, char text[static REASON_MAX]);
/* All groups that stood in the way have stepped down. Same returns. */
int configure_finish(struct daemon *d, char text[static REASON_MAX]);

#endif
