/* SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/budget.h"
#include "base/names.h"

#define WITH_PROCESSES ((unsigned)(GUARD_OF_SERVICE | GUARD_OF_SOCKET | GUARD_OF_MOUNT))
#define NO_SERVICE ((unsigned)(GUARD_OF_SOCKET | GUARD_OF_MOUNT | GUARD_OF_OTHER))
#define ANY_UNIT (NO_SERVICE | (unsigned)GUARD_OF_SERVICE)

/* In the order of the files: what is of [Unit] comes first. */
const struct guard_setting guard_settings[] = {
    {ANY_UNIT, true, "BindsTo", GUARD_KEEPER, NULL, "BindsTo", GUARD_LISTS},
    {ANY_UNIT, true, "After", GUARD_KEEPER, NULL, "After", GUARD_LISTS},
    {ANY_UNIT, true, "AssertPathExists", GUARD_STATE, NULL, "AssertPathExists", GUARD_LISTS},
    /* Units that are no services are pulled up by the keeper, which comes after basic.target: with
     * their usual place before early targets PID 1 would find an ordering cycle at boot. */
    {NO_SERVICE, true, "DefaultDependencies", GUARD_WORD, "no", NULL, GUARD_UNSEEN},
    {NO_SERVICE, true, "Conflicts", GUARD_WORD, "shutdown.target", NULL, GUARD_UNSEEN},
    {NO_SERVICE, true, "Before", GUARD_WORD, "shutdown.target", NULL, GUARD_UNSEEN},
    {NO_SERVICE, true, "After", GUARD_WORD, "sysinit.target", NULL, GUARD_UNSEEN},

    {WITH_PROCESSES, false, "Slice", GUARD_SLICE, NULL, "Slice", GUARD_IS},
    {GUARD_OF_SERVICE, false, "EnvironmentFile", GUARD_ENV, NULL, "EnvironmentFiles", GUARD_LISTS},
    {GUARD_OF_SERVICE, false, "TimeoutStopSec", GUARD_STOP, NULL, "TimeoutStopUSec", GUARD_AT_MOST},
    {GUARD_OF_SERVICE, false, "TimeoutStopFailureMode", GUARD_WORD, "kill",
     "TimeoutStopFailureMode", GUARD_IS},
    {GUARD_OF_SOCKET | GUARD_OF_MOUNT, false, "TimeoutSec", GUARD_STOP, NULL, "TimeoutUSec",
     GUARD_AT_MOST},
    {WITH_PROCESSES, false, "SendSIGKILL", GUARD_WORD, "yes", "SendSIGKILL", GUARD_YES},
    {WITH_PROCESSES, false, "FinalKillSignal", GUARD_WORD, "SIGKILL", "FinalKillSignal",
     GUARD_SIGKILL},

    {GUARD_OF_KEEPER, true, "Requires", GUARD_SLICE, NULL, "Requires", GUARD_LISTS},
    {GUARD_OF_KEEPER, true, "After", GUARD_SLICE, NULL, "After", GUARD_LISTS},
    /* The other half of BindsTo=: holds when a unit has lost its own drop-ins, for one because it
     * was masked while it ran; and a stop of a keeper that is not even active reaches the
     * units by it. */
    {GUARD_OF_KEEPER, true, "PropagatesStopTo", GUARD_UNIT, NULL, "PropagatesStopTo", GUARD_LISTS},
    {GUARD_OF_KEEPER, true, "Before", GUARD_UNIT, NULL, "Before", GUARD_LISTS},
    {GUARD_OF_KEEPER, false, "TimeoutStopSec", GUARD_KEEPER_STOP, NULL, "TimeoutStopUSec",
     GUARD_BETWEEN},
    {GUARD_OF_KEEPER, false, "TimeoutAbortSec", GUARD_KEEPER_STOP, NULL, "TimeoutAbortUSec",
     GUARD_BETWEEN},
    {GUARD_OF_KEEPER, false, "Environment", GUARD_ALL_UNITS, NULL, "Environment", GUARD_LISTS},
};
const size_t guard_n_settings = sizeof guard_settings / sizeof guard_settings[0];

enum guard_of guard_type(const char *unit)
{
    assert(unit);

    const char *dot = strrchr(unit, '.');

    if (dot && strcmp(dot, ".service") == 0)
        return GUARD_OF_SERVICE;
    if (dot && strcmp(dot, ".socket") == 0)
        return GUARD_OF_SOCKET;
    if (dot && strcmp(dot, ".mount") == 0)
        return GUARD_OF_MOUNT;
    return GUARD_OF_OTHER;
}

const char *guard_section(enum guard_of type)
{
    return type == GUARD_OF_SOCKET ? "Socket" : type == GUARD_OF_MOUNT ? "Mount" : "Service";
}

static int copy(const char *text, char *ret, size_t size)
{
    int n = snprintf(ret, size, "%s", text);

    return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

static int format_path(const char *group, const char *file, char *ret, size_t size)
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, size, TENURE_GROUPS_DIR "/%s/%s", group, file);
    return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

static int format_usec(usec_t span, char *ret, size_t size)
{
    int n = snprintf(ret, size, "%" PRIu64 "us", span);

    return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

int guard_value(const struct guard_setting *s, const char *group, usec_t stop, const char *unit,
                char *ret, size_t size)
{
    assert(s);
    assert(ret);

    switch (s->value) {
    case GUARD_WORD:
        return copy(s->word, ret, size);
    case GUARD_KEEPER:
        return group_keeper_unit(group, ret, size);
    case GUARD_SLICE:
        return group_slice_unit(group, ret, size);
    case GUARD_STATE:
        return format_path(group, KEEPER_STATE_FILE, ret, size);
    case GUARD_ENV:
        return format_path(group, KEEPER_ENV_FILE, ret, size);
    case GUARD_STOP:
        return format_usec(stop, ret, size);
    case GUARD_KEEPER_STOP:
        return format_usec(usec_add(stop, BUDGET_PID1_EXTRA_USEC), ret, size);
    case GUARD_UNIT:
        assert(unit);
        return copy(unit, ret, size);
    case GUARD_ALL_UNITS:
        break;
    }
    return -EINVAL;
}
