#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An installation leaves the configuration that is there as it is."""

import os
import stat
import subprocess
import sys
import tempfile

SCRIPT = sys.argv[1]


def install(root, to="/etc/tenure/tenure.conf"):
    return subprocess.run([SCRIPT, os.path.join(root, "template"), to], check=True, capture_output=True, text=True,
                          env={**os.environ, "DESTDIR": os.path.join(root, "dest"),
                               "MESON_INSTALL_DESTDIR_PREFIX": os.path.join(root, "dest/usr")}).stdout


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


with tempfile.TemporaryDirectory() as root:
    write(f"{root}/template", "template\n")
    there = f"{root}/dest/etc/tenure/tenure.conf"

    assert install(root) == ""
    assert read(there) == "template\n"
    assert stat.S_IMODE(os.stat(there).st_mode) == 0o640

    write(there, "mine\n")
    os.chmod(there, 0o600)
    assert "stays as it is" in install(root)
    assert read(there) == "mine\n"
    assert stat.S_IMODE(os.stat(there).st_mode) == 0o600

    # A link that leads to what is not mounted yet, say.
    os.unlink(there)
    os.symlink("elsewhere", there)
    assert "stays as it is" in install(root)
    assert os.readlink(there) == "elsewhere" and not os.path.exists(there)

    install(root, "etc/tenure/tenure.conf")
    assert read(f"{root}/dest/usr/etc/tenure/tenure.conf") == "template\n"
    print("an installation overwrites nothing")
