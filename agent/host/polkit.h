/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_POLKIT_H
#define TENURE_HOST_POLKIT_H

/* Does polkit answer? See host_polkit_problem(). */

#include <stdbool.h>

#include "base/usec.h"

struct host;

void polkit_ask(struct host *h, usec_t now);
usec_t polkit_due(const struct host *h);
/* is_there: it came; else it left the bus, or the bus is another one. */
void polkit_ask_again(struct host *h, bool is_there);

#endif
