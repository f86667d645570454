/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb_schema.h"

#include <getopt.h>
#include <stdio.h>

#include "ctl/options.h"
#include "schema.h" /* made from agent/arbiter/schema.sql by embed.py */

int verb_schema(const struct ctl *ctl, int argc, char *argv[])
{
    int r = ctl_options(ctl, argc, argv, NULL);

    if (r != 0)
        return r - 1;
    if (optind < argc)
        return ctl_usage(ctl, "schema takes no argument: tenurectl schema | psql …");
    (void)fwrite(schema_sql, 1, sizeof schema_sql, ctl->out);
    return CTL_OK;
}
