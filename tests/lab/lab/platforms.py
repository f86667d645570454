# SPDX-License-Identifier: Apache-2.0
"""The Debian releases that hosts are made from, and where the lab keeps them; and the packages of the
proofs that only one of the two releases has."""

import os

CACHE = os.environ.get("TENURE_LAB_CACHE", "/var/cache/tenure-lab")

# What an administrator's host has, and what the lab needs for its checks.
_HOST = ["systemd", "systemd-sysv", "dbus", "polkitd", "libpam-systemd", "iproute2", "procps",
         "nftables", "libpq5", "libsystemd0", "libjansson4", "util-linux", "coreutils", "less",
         # For the examples: a container, and the announcement of an address that has moved.
         "systemd-container", "iputils-arping",
         # A pooler between agents and database.
         "pgbouncer"]
_BUILD = ["gcc", "libc6-dev", "meson", "ninja-build", "pkg-config", "libsystemd-dev",
          "libconfig-dev", "libpq-dev", "libjansson-dev", "python3"]
# To make Debian packages of it, and to look at them.
_PACKAGE = ["build-essential", "debhelper", "lintian", "check", "dbus-daemon", "meson", "pkg-config", "libsystemd-dev", "libconfig-dev",
            "libpq-dev", "libjansson-dev", "python3"]
_CROSS = ["build-essential", "crossbuild-essential-{arch}", "debhelper", "meson", "pkg-config", "python3", "dbus-daemon", "qemu-user",
          "libc6:{arch}", *(f"{p}:{{arch}}" for p in ("check", "libsystemd-dev", "libconfig-dev", "libpq-dev", "libjansson-dev"))]
# What an administrator begins with: of what a package of ours could need only what Debian's installer always brings.
_MINIMAL = ["systemd-sysv", "libpam-systemd", "libnss-systemd", "dbus", "iproute2"]
# Neither release has all of it.
_PROOF = {"bookworm": ["frama-c-base", "why3", "cvc4", "libc6-dev"],
          "trixie": ["cbmc", "libc6-dev"]}


class Platform:
    """One release of Debian, named by the version of systemd it brings."""

    def __init__(self, name, suite, postgresql, packages):
        self.name, self.suite, self.postgresql = name, suite, postgresql
        self.packages = _HOST + packages + [f"postgresql-{postgresql}"]
        self.build_packages = _BUILD
        self.proof_packages = _PROOF[suite]
        self.package_packages = _PACKAGE
        self.minimal_packages = _MINIMAL
        # What a package of ours depends on, for a minimal host to have it at hand.
        self.package_needs = ["dbus", "polkitd", "libpq5", "libjansson4", *packages]

    def cross_packages(self, arch):
        return [p.format(arch=arch) for p in _CROSS]

    def __repr__(self):
        return f"systemd {self.name} (Debian {self.suite}, PostgreSQL {self.postgresql})"


PLATFORMS = {
    "252": Platform("252", "bookworm", "15", ["libconfig9"]),
    "257": Platform("257", "trixie", "17", ["libconfig11"]),
}
# Platforms can be named by the release as well.
_BY_NAME = {**PLATFORMS, **{p.suite: p for p in PLATFORMS.values()}}


def platform(name):
    """A platform by the version of systemd ("252") or by the release ("bookworm")."""
    if isinstance(name, Platform):
        return name
    if str(name) not in _BY_NAME:
        raise ValueError(f"no platform {name!r}; there are {', '.join(_BY_NAME)}")
    return _BY_NAME[str(name)]
