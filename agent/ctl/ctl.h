/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_CTL_H
#define TENURE_CTL_CTL_H

/* The ground of all verbs: what they work with, and how they report. */

#include <stdio.h>

#include "base/guard.h"
#include "config/load.h"

#define CTL_PROGRAM "tenurectl"

enum ctl_status {
    CTL_OK = 0,
    CTL_FAILED = 1, /* also: "no" of is-leader */
    CTL_USAGE = 2,
    /* Of status and is-leader, like those of systemctl: */
    CTL_UNKNOWN = 3,              /* is-leader could not ask */
    CTL_NOT_RUNNING = 3,          /* status: the agent does not run here */
    CTL_NO_GROUP = 4,             /* no group of this name is applied here */
    CTL_UNREACHABLE = 5,          /* status: the agent runs, or may, and cannot be asked */
    CTL_UNITS_DOWN = 6,           /* status: units of a group that is led here do not run */
    CTL_BUSY = GUARD_BUSY_STATUS, /* another apply is at work */
    /* Of check, as monitoring has it: */
    CTL_CHECK_WARNING = 1, /* it leads all the same */
    CTL_CHECK_BAD = 2,     /* something would keep the agent from leading */
    CTL_CHECK_UNKNOWN = 3, /* something could not be checked */
};

/* What a verb works with; tests give it files and streams of their own. */
struct ctl {
    struct config_paths paths;
    const char *const *applied; /* files as of config_load_applied() */
    const char *copy_dir;       /* of the guards' copy */
    bool asks_systemd;          /* about the units of a configuration that is checked */
    const char *remember_dir;   /* as of guard/remember.h */
    const char *lock_file;      /* of an apply */
    bool tries;                 /* check and apply log in to the arbiter, and check the host */
    const char *agent_user;
    const char *const
        *hidden;        /* directories that the agent does not see, NULL at the end; or NULL */
    unsigned *n_warned; /* how often ctl_warn() was called; NULL: not wanted */
    FILE *out;
    FILE *err;
    FILE *in;        /* where a person answers … */
    bool is_person;  /* … if it is a terminal */
    bool to_journal; /* err is: as when systemd runs this, and the user who asked sees nothing */
};

/* One line on wrong use, with what would be right; returns CTL_USAGE. */
int ctl_usage(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line, "tenurectl: …"; returns CTL_FAILED. */
int ctl_fail(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line: no group of this name is applied here. Returns CTL_NO_GROUP. */
int ctl_no_group(const struct ctl *ctl, const char *group);

/* Where unit files are, NULL at the end. */
const char *const *ctl_unit_dirs(const struct ctl *ctl);

/* One line for what is done all the same, or stays as it is. */
void ctl_warn(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line each, with file and line. */
void ctl_print_problems(const struct ctl *ctl, const struct config_problems *p);

/* Prints which units are kept from starting here although they left their groups; nothing if there
 * are none. */
void ctl_print_kept(const struct ctl *ctl, const struct tenure_config *c);

#endif
