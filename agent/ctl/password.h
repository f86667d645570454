/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_PASSWORD_H
#define TENURE_CTL_PASSWORD_H

#include "arbiter/conninfo.h"
#include "ctl/ctl.h"

/* What is done about the password, by the configuration. */
enum arbiter_password ctl_password(const struct config_arbiter *a);

/* Would the agent's password go in clear text to any server that answers and asks for it so? */
bool ctl_exposes_password(const struct config_arbiter *a);

/* Does the connection string name a password, or a file of them? */
bool ctl_names_password(const struct config_arbiter *a);

/* Does it matter whether the agent protects its password there, if it has one? */
bool ctl_needs_protection(const struct config_arbiter *a);

/* The same, or might it matter where the agent's environment names the host? */
bool ctl_may_need_protection(const struct config_arbiter *a);

/* Prints one line: that it would be exposed, and what to write. */
void ctl_print_exposed(const struct ctl *ctl, const struct config_arbiter *a);

#endif
