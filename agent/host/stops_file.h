/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_STOPS_FILE_H
#define TENURE_HOST_STOPS_FILE_H

/* How a group's units stop: what keeper and fence read (base/stops.h), and what an agent that was
 * restarted has to know of each unit. The directory is an argument for the tests' sake. */

#include <stddef.h>
#include <stdint.h>

#include "base/stops.h"
#include "host/stops.h"

struct stops_file {
    uint64_t term;
    enum stops stops;
    size_t n;
    const char *const *units; /* their names; borrowed */
    struct stop_began *began; /* of each */
};

/* Replaces the file, whole or not at all. Returns 0 or negative errno. */
int stops_save(const char *dir, const char *group, const struct stops_file *f);
/* Fills in what the file says of the units that are named in f; of others nothing. Returns 0,
 * -ENOENT when there is none, -EBADMSG, or another negative errno; f is then left alone. */
int stops_load(const char *dir, const char *group, struct stops_file *f);

#endif
