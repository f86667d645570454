/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_PROPERTIES_H
#define TENURE_HOST_PROPERTIES_H

#include <systemd/sd-bus.h>

#include "host/guards.h"

/* Fills ret from the answer to Properties.GetAll(""). Returns 0 or negative errno. */
int properties_read(sd_bus_message *m, struct unit_properties *ret);

/* Where in p the property of this name is, by PID 1's word for it or, of asserts, the one in unit
 * files; NULL: it is not read. What is there is of the kind that its reader makes. */
const void *properties_find(const struct unit_properties *p, const char *name);

#endif
