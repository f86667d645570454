/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_CTL_H
#define TENURE_CTL_CTL_H

#include <stdio.h>

#include "base/guard.h"
#include "config/config.h"

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
    CTL_CHECK_UNKNOWN = 3, /* something could not be looked at */
};

/* What a verb works with; tests give it files and streams of their own. */
struct ctl {
    struct config_paths paths;
    const char *const *applied; /* files as of config_load_applied() */
    const char *copy_dir;       /* of the guards' copy */
    bool asks_systemd;          /* about the units of a configuration that is checked */
    const char *remember_dir;   /* as of guard/remember.h */
    const char *lock_file;      /* of an apply */
    bool tries;                 /* check and apply log in to the arbiter, and look at the host */
    const char *agent_user;
    const char *const
        *hidden;        /* directories that the agent does not see, NULL at the end; or NULL */
    unsigned *n_warned; /* how often ctl_warn() was called; NULL: nobody wants to know */
    FILE *out;
    FILE *err;
    FILE *in;        /* where a person answers … */
    bool is_person;  /* … if it is a terminal */
    bool to_journal; /* err is: as when systemd runs this, and whoever asked for it sees nothing */
};

/* The whole program less its defaults: options, then the verb. argv[0] is the program's name. Takes
 * libpq's variables out of the environment. Returns the exit status. */
int ctl_run(const struct ctl *ctl, int argc, char *argv[]);

/* One verb each: argv[0] is the verb. They print what went wrong and return the exit status. */
int verb_status(const struct ctl *ctl, int argc, char *argv[]);
int verb_check(const struct ctl *ctl, int argc, char *argv[]);
int verb_apply(const struct ctl *ctl, int argc, char *argv[]);
int verb_schema(const struct ctl *ctl, int argc, char *argv[]);
int verb_confirm_dead(const struct ctl *ctl, int argc, char *argv[]);
int verb_is_leader(const struct ctl *ctl, int argc, char *argv[]);

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

/* Loads and checks the configuration as `check` and `apply` do: all rules of config_load(), and
 * libpq's for conninfo. Prints every problem, and a warning for each file of the groups' directory
 * that is not read. Returns 0 or CTL_FAILED. */
int ctl_load(const struct ctl *ctl, const struct config_paths *paths, struct tenure_config **ret);

/* What is done about the password, by the configuration. */
enum arbiter_password ctl_password(const struct config_arbiter *a);

/* Would the agent's password go to whoever answers and asks for it in clear text? */
bool ctl_exposes_password(const struct config_arbiter *a);

/* Does the connection string name a password, or a file of them? */
bool ctl_names_password(const struct config_arbiter *a);

/* Does it matter whether the agent protects its password there, if it has one? */
bool ctl_needs_protection(const struct config_arbiter *a);

/* So, or might it, where the agent's environment names the host? */
bool ctl_may_need_protection(const struct config_arbiter *a);

/* One line: that it would, and what to write. */
void ctl_print_exposed(const struct ctl *ctl, const struct config_arbiter *a);

/* A line each, with file and line. */
void ctl_print_problems(const struct ctl *ctl, const struct config_problems *p);

/* Prints which units are kept from starting here although they left their groups; nothing if there
 * are none. */
void ctl_print_kept(const struct ctl *ctl, const struct tenure_config *c);

/* Warns of every group that requires the hardware watchdog where this host has none that does, as
 * PID 1 says. Returns their number. */
size_t ctl_warn_watchdog(const struct ctl *ctl, const struct tenure_config *c);

/* Warns of what the files say and is not applied: groups, the arbiter, the node's name. */
void ctl_warn_not_applied(const struct ctl *ctl, const struct tenure_config *applied,
                          const struct tenure_config *files);

/* The same, of this host's, as far as this user may read them; of files with problems, that. */
void ctl_warn_files_differ(const struct ctl *ctl);

/* Warns of what systemd reads at boot, and finds only when more has been mounted: what apply has
 * written in /etc. */
void ctl_warn_mounted_late(const struct ctl *ctl);

/* The same of the files that name the units, where nothing else of them outlives a boot. Returns
 * whether there was something to warn of. */
bool ctl_warn_declared_late(const struct ctl *ctl);

/* An option of a verb: a switch, or one with a value that may be given several times. */
struct ctl_option {
    const char *name; /* NULL ends a list of them */
    bool *flag;
    const char **values;
    size_t *n_values, room;
};

/* Options of a verb, besides --help; the first operand's index is in optind then. options: NULL for
 * none. Returns 0 to go on, or an exit status + 1 (help was asked for, or wrong use). */
int ctl_options(const struct ctl *ctl, int argc, char *argv[], const struct ctl_option options[]);

#endif
