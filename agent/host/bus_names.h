/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_BUS_NAMES_H
#define TENURE_HOST_BUS_NAMES_H

/* What PID 1 and polkit are called on the system bus. */

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_UNIT_PATH SYSTEMD_PATH "/unit"
#define SYSTEMD_MANAGER SYSTEMD_NAME ".Manager"
#define SYSTEMD_UNIT SYSTEMD_NAME ".Unit"
#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"
#define POLKIT_NAME "org.freedesktop.PolicyKit1"

#endif
