/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_SURVEY_H
#define TENURE_HOST_SURVEY_H

/* What the units of groups are beyond what their names say: what starts them, what they start,
 * which units need them. Pure: effective properties as PID 1 reports them in, findings out. A
 * configuration is checked by it before it counts; whether guards are in effect is another matter
 * (guards.h). */

#include <stdbool.h>
#include <stddef.h>

#include "host/properties.h"

#define SURVEY_TEXT_MAX 1024

/* Another name of a unit's file, which PID 1 takes for a unit of its own. */
struct survey_twin {
    const char *name;
    const char *link; /* that makes it one */
};

struct survey_unit {
    const char *name; /* as declared */
    const char *group;
    const struct unit_properties *properties;
    const char *link; /* by which its file is found; for twins alone */
    const struct survey_twin *twins;
    size_t n_twins;
    bool of_users; /* there is a file of this name for the managers of users */
};

enum survey_verdict {
    SURVEY_WARNING, /* it is not led here, or does what may not be meant; other groups are fine */
    SURVEY_REFUSED, /* two hosts could run it, or the host itself would suffer */
};

struct survey {
    /* The group that declares a unit; NULL: none. */
    const char *(*group_of)(void *userdata, const char *unit);
    /* Does this unit belong to every host, so that no group can have it? */
    bool (*of_host)(void *userdata, const char *unit);
    /* Of a unit that is not declared; valid until the next call. NULL: not known. */
    const struct unit_properties *(*ask)(void *userdata, const char *unit);
    /* One finding, "UNIT: …", with its remedy. */
    void (*found)(void *userdata, enum survey_verdict verdict, const char *text);
    void *userdata;
};

/* Everything there is to say about one declared unit. */
void survey_unit(const struct survey *s, const struct survey_unit *u);

#endif
