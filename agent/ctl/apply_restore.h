/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_APPLY_RESTORE_H
#define TENURE_CTL_APPLY_RESTORE_H

/* Writes again what got lost of what is applied. */

#include "ctl/ctl.h"

/* For the agent, when guards are lost or not in effect. Applies nothing. Without anything to
 * restore from, PID 1 reads what is there all the same; not beside another apply, which has it do
 * so at its end. Returns the exit status. */
int apply_restore(const struct ctl *ctl);

/* Applies the files where nothing is applied. What is applied stays so, and is made whole; what is
 * damaged is left for the operator to see. Returns the exit status. */
int apply_if_missing(const struct ctl *ctl);

#endif
