/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_STOPS_H
#define TENURE_HOST_STOPS_H

/* Does what PID 1 says of a unit's stop prove that nothing of it is left? Pure: what is known from
 * its beginning and its properties in, a verdict and its reason out.
 *
 * Processes are gone when the slice is empty. Anything else, an address for one, is gone when the
 * commands that were to take it away have done so: PID 1 calls a unit inactive or failed whether or
 * not they have. */

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"
#include "host/properties.h"
#include "host/view.h"

/* How a unit is defined, as far as its stop goes. */
struct stop_definition {
    bool known;           /* the others count: it was loaded */
    bool commands;        /* it has commands for its stop */
    bool remains;         /* RemainAfterExit= */
    uint64_t fingerprint; /* of those commands */
};

/* What is known of a unit from before it stopped. */
struct stop_began {
    struct stop_definition as; /* when it was started last */
    bool was_up;               /* it was seen up in this term */
    usec_t since;              /* CLOCK_MONOTONIC: no run of this term is older; 0: not known */
    usec_t proven;             /* the beginning of a run whose stop was proven already; 0: none */
};

/* What a check saw of it. */
struct stop_seen {
    struct stop_definition as; /* by its files as they are */
    bool up;
    usec_t run; /* CLOCK_MONOTONIC: when its last run began; 0: it has had none */
    char load_state[PROPERTY_MAX];
};

enum stop_verdict {
    STOP_PROVEN,
    STOP_FORGOTTEN,  /* systemd has unloaded it since, or shows another run than the last */
    STOP_NOT_LOADED, /* masked or removed: its commands cannot have run */
    STOP_CHANGED,    /* it has other commands than when it was started, or that is not known */
    STOP_FAILED,     /* it is not inactive, or its last run was no success */
    STOP_UNCLEAN,    /* not each command ran and exited with 0 */
};

/* What has to be true, each a bit: see stop_decide(). */
enum stop_fact {
    STOP_FACT_RUN_KNOWN = 1 << 0, /* there is an InvocationID, and it is of this term */
    STOP_FACT_LOADED = 1 << 1,    /* LoadState is loaded */
    STOP_FACT_SAME = 1 << 2,      /* its commands are those it was started with */
    STOP_FACT_SUCCESS = 1 << 3,   /* it is inactive, and Result is success */
    STOP_FACT_CLEAN = 1 << 4,     /* each of its commands exited with 0 */
    STOP_FACTS_ALL = (1 << 5) - 1,
};

/* The rule. keeps: the unit may keep something other than processes; started: it was started, or
 * that is not known. A unit that keeps nothing, or was not started, leaves nothing. */
enum stop_verdict stop_decide(bool keeps, bool started, unsigned facts);

void stop_see(struct stop_seen *ret, const struct unit_properties *p);

/* May it keep something other than processes, as far as its definition goes? Services with commands
 * for their stop, or with RemainAfterExit=; sockets; mounts too, though their state alone is proof:
 * PID 1 has it from the kernel, and a mount that could not be unmounted stays active. */
bool stop_keeps(const char *unit, const struct stop_definition *as);

/* load_stamp: when PID 1 last read its files again, CLOCK_MONOTONIC, 0: not since the boot; it was
 * asked for after the properties. problem: names the unit and says what is wrong, unless
 * STOP_PROVEN. Only for a unit that is inactive or failed. */
enum stop_verdict stop_judge(const struct stop_began *b, const char *unit,
                             const struct unit_properties *p, usec_t load_stamp,
                             char problem[static HOST_PROBLEM_MAX]);

/* Of one that is up: can its stop still prove anything? True if so, or if there is nothing to
 * prove. Takes note of a run that began with the files as they are now. load_stamp: likewise. */
bool stop_provable(struct stop_began *b, const char *unit, const struct stop_seen *seen,
                   usec_t load_stamp, char problem[static HOST_PROBLEM_MAX]);

#endif
