/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_GUARD_H
#define TENURE_BASE_GUARD_H

/* What guards the units of a group: one table, for those that write it into drop-ins and for the
 * one that asks PID 1 whether it is in effect. Two copies of each drop-in fail independently of
 * each other: the generator's, and one on the root file system. PID 1 reads one of two files of a
 * name, the generator's if it is there; either suffices. */

#include <stdbool.h>
#include <stddef.h>

#include "base/usec.h"

/* '~' comes after all letters: of what several drop-ins set, the last name counts. */
#define GUARD_FILE "~tenure.conf"
/* Where the two copies are, UNIT.d/GUARD_FILE below each. */
#define GUARD_GENERATOR_DIR "/run/systemd/generator.early"
#define GUARD_COPY_DIR "/etc/systemd/system"
/* Exit status of what restores them when it did nothing, because an apply is under way. */
#define GUARD_BUSY_STATUS 75

/* Whom a setting guards. */
enum guard_of {
    GUARD_OF_SERVICE = 1 << 0,
    GUARD_OF_SOCKET = 1 << 1,
    GUARD_OF_MOUNT = 1 << 2,
    GUARD_OF_OTHER = 1 << 3, /* timers, paths, targets: they have no processes */
    GUARD_OF_KEEPER = 1 << 4,
};

enum guard_value {
    GUARD_WORD,        /* .word */
    GUARD_KEEPER,      /* the keeper's unit */
    GUARD_SLICE,       /* the group's slice */
    GUARD_STATE,       /* the file that is there while this host leads */
    GUARD_ENV,         /* the file with the term */
    GUARD_STOP,        /* S */
    GUARD_KEEPER_STOP, /* S, and what a keeper needs beyond it */
    GUARD_UNIT,        /* each unit of the group: the setting appears once for each */
    GUARD_ALL_UNITS,   /* TENURE_UNITS=, with all of them */
};

/* How a property of PID 1's shows that the setting is in effect. */
enum guard_proof {
    GUARD_UNSEEN,  /* not asked for */
    GUARD_IS,      /* the same word */
    GUARD_LISTS,   /* a list that has it */
    GUARD_YES,     /* true */
    GUARD_SIGKILL, /* the number of that signal */
    GUARD_AT_MOST, /* a span, this long or shorter */
    GUARD_BETWEEN, /* a span from S to S + BUDGET_PID1_EXTRA_USEC */
};

struct guard_setting {
    unsigned of;
    bool of_unit; /* it is in [Unit], else in the section of the type */
    const char *key;
    enum guard_value value;
    const char *word;
    const char *property; /* as PID 1 calls it */
    enum guard_proof proof;
};

extern const struct guard_setting guard_settings[];
extern const size_t guard_n_settings;

/* Whose guards a unit of this name gets; not for keepers. */
enum guard_of guard_type(const char *unit);

/* "Service", "Socket", "Mount": where the settings of a type stand. */
const char *guard_section(enum guard_of type);

/* The value of a setting as PID 1 shows it, or of one unit of a list; GUARD_ALL_UNITS has none.
 * unit: for GUARD_UNIT alone. Returns 0 or -ENOBUFS (UNIT_NAME_LEN_MAX + 1 and GUARD_VALUE_SIZE
 * always do), -EINVAL for a group's name that is not valid. */
#define GUARD_VALUE_SIZE 512
int guard_value(const struct guard_setting *s, const char *group, usec_t stop, const char *unit,
                char *ret, size_t size);

#endif
