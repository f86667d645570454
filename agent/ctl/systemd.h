/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_SYSTEMD_H
#define TENURE_CTL_SYSTEMD_H

/* What tenurectl asks of PID 1. */

#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "base/usec.h"
#include "base/watchdog.h"

#define SYSTEMD_CALL_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define SYSTEMD_RELOAD_TIMEOUT_USEC (180 * USEC_PER_SEC) /* generators take up to 90 s */
#define SYSTEMD_ASIDE_TIMEOUT_USEC (1 * USEC_PER_SEC)    /* for what is shown beside the rest */
#define ACTIVE_STATE_SIZE 24

static inline void cleanup_bus(sd_bus **b)
{
    (void)sd_bus_flush_close_unref(*b);
}
#define _cleanup_bus_ _cleanup_(cleanup_bus)

static inline void cleanup_message(sd_bus_message **m)
{
    (void)sd_bus_message_unref(*m);
}
#define _cleanup_message_ _cleanup_(cleanup_message)
#define _cleanup_bus_error_ _cleanup_(sd_bus_error_free)

/* The system bus, ready to be asked; what names no limit of its own there has this one, too.
 * libsystemd would wait for a bus that hangs for 25 s. Returns 0 or negative errno. */
int systemd_open_bus(sd_bus **ret, usec_t limit);

/* From the properties of PID 1's manager. */
struct watchdog systemd_watchdog(sd_bus *bus);

/* The unit's ActiveState, "inactive" also for a unit that does not exist. Returns 0 or negative
 * errno. */
int systemd_active_state(sd_bus *bus, const char *unit, char *ret, size_t size);

/* Does the unit require the other one? 1, 0 or negative errno. */
int systemd_requires(sd_bus *bus, const char *unit, const char *other);

/* All properties of a unit, of all its interfaces: the answer to GetAll. Returns 0 or negative
 * errno. */
int systemd_unit_properties(sd_bus *bus, const char *unit, sd_bus_message **ret);

/* daemon-reload. error: what PID 1 said. */
int systemd_reload(sd_bus *bus, sd_bus_error *error);

/* Calls `found` with the group of every keeper that is active or on its way, and its ActiveState.
 */
typedef void (*keeper_found)(void *userdata, const char *group, const char *active_state);
int systemd_each_keeper(sd_bus *bus, keeper_found found, void *userdata);

#define SYSTEMD_SAID_MAX 512

/* The error with which PID 1 or the agent has answered, made printable: it may quote any program.
 * Returns ret. */
const char *systemd_said(const sd_bus_error *e, int error, char ret[static SYSTEMD_SAID_MAX]);

#endif
