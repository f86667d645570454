/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_TRIGGER_H
#define TENURE_CONFIG_TRIGGER_H

#include <stddef.h>

/* systemd's directories of unit files, most important first, NULL at the end. */
extern const char *const trigger_unit_dirs[];

/* Which unit does this timer, socket or path start, by its files in dirs (NULL at the end), its
 * drop-ins included? Specifiers of its own name are resolved; of several names of a unit, the
 * name of its file counts. Returns 0 and the name (size > UNIT_NAME_LEN_MAX); -ENOENT when no file
 * is found, -EXDEV when a socket starts an instance per connection (Accept=yes), -ENODATA when that
 * is not known (another specifier in the name, a file that cannot be read), -ENOMEM. This catches
 * mistakes early; before anything is started, PID 1 is asked what it starts. */
int trigger_find(const char *const dirs[], const char *unit, char *ret, size_t size);

/* May this timer or path start that unit, as far as such files say? Returns 1 also when they do
 * not say: when another specifier is in the name, and it could be this one; when there is no file
 * of the timer (yet), and the unit is the service of its name. Else 0, or -ENOMEM. A caller
 * that cannot know what a timer starts must not start it. */
int trigger_may_start(const char *const dirs[], const char *unit, const char *other);

#endif
