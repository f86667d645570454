/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_SETTINGS_H
#define TENURE_CONFIG_SETTINGS_H

#include "config/loader.h"

/* All settings of one file. Adds to the model and to the problems. */
void load_root(struct loader *l, const config_setting_t *root);

#endif
