# SPDX-License-Identifier: Apache-2.0
"""gcc's counters of the programs in a lab's hosts: the build folder is bound into each host at the same path,
where every process that exits adds its own counts."""

import os

# Sorts after the guards' drop-in, which adds to the filter that is removed here.
_DROP_IN_FILE = "~~counters.conf"
_DROP_IN = """[Service]
ReadWritePaths={folder}
UMask=0000
SystemCallFilter=
"""


def open_to_all(folder):
    """Agent and keeper write counters as different users."""
    for where, _, files in os.walk(folder):
        os.chmod(where, 0o777)
        for name in files:
            if name.endswith(".gcda"):
                os.chmod(os.path.join(where, name), 0o666)


def prepare(host, folder):
    for unit in ("tenured", "tenure@"):
        host.write_file(f"/etc/systemd/system/{unit}.service.d/{_DROP_IN_FILE}", _DROP_IN.format(folder=folder))


def finish(lab):
    """Counters are written when a process ends."""
    for host in lab.hosts:
        if host.up and host.frozen_at is None:
            host.systemctl("stop", "tenured.service", check=False)
