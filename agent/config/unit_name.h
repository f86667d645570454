/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_UNIT_NAME_H
#define TENURE_CONFIG_UNIT_NAME_H

/* Which units a group may have. The rules for names are systemd's; libsystemd exports no check. */

/* NULL when the unit may belong to a group; else what is wrong with it, as the end of a sentence
 * that begins with the name. */
const char *unit_name_problem(const char *name);

/* The suffix without the dot, "service"; "" when there is none. Points into name. */
const char *unit_name_suffix(const char *name);

#endif
