# SPDX-License-Identifier: Apache-2.0
"""Builds the packages from debian/, in a root file system that is thrown away."""

import glob
import os
import shutil
import subprocess
import tempfile

from lab.build import SOURCE
from lab.documents import files
from lab.platforms import CACHE, platform
from lab.roots import cross_root, package_root
from lab.shell import LabError, run

BUILD_LIMIT_S = 1800
_OUT = os.path.join(os.environ.get("TENURE_BUILD", os.path.join(SOURCE, "build-tests")), "packages")

# In a mount namespace of its own, so that whatever happens no mount is left behind.
_THERE = """
set -e
mkdir -p {work}/upper {work}/work {work}/root
mount -t overlay tenure-packages -o lowerdir={root},upperdir={work}/upper,workdir={work}/work {work}/root
mount --rbind /dev {work}/root/dev
mount -t proc proc {work}/root/proc
mkdir {work}/root/build {work}/root/out
mount --bind {work}/tree {work}/root/build
mount --bind {out} {work}/root/out
exec chroot {work}/root sh -c "$1"
"""


class Packages:
    """What was built for a platform: a folder with .deb and .changes."""

    def __init__(self, name, folder):
        self.platform, self.folder = platform(name), folder

    def deb(self, package):
        found = glob.glob(f"{self.folder}/{package}_*.deb")
        if len(found) != 1:
            raise LabError(f"{self.folder}: not one package {package}: {found}")
        return found[0]

    def field(self, package, name):
        return run(["dpkg-deb", "-f", self.deb(package), name]).out.strip()

    def files(self, package):
        """In the order in which dpkg unpacks them."""
        return run(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar t', "sh", self.deb(package)]).out.split()


def build(name, *, say=print, tests=False, arch=None):
    """tests: the unit tests, too, as a Debian build machine would. arch: for another architecture; its tests are run by
    an emulator."""
    p = platform(name)
    root = cross_root(p, arch, say) if arch else package_root(p, say)
    out = _folder(p, arch)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    say(f"building packages for Debian {p.suite}" + (f" on {arch}" if arch else "") + (", with unit tests" if tests else ""))
    options = f"parallel={len(os.sched_getaffinity(0))}" + ("" if tests else " nocheck") + \
        (" crossbuildcanrunhostbinaries" if arch else "")
    profiles = "cross" if arch else "" if tests else "nocheck"
    script = f"""
set -e
export DEB_BUILD_OPTIONS='{options}' DEB_BUILD_PROFILES='{profiles}'
{f"export TENURE_EMULATOR=qemu-$(dpkg-architecture -a {arch} -q DEB_HOST_GNU_CPU)" if arch else ""}
cd /build/tenure
dpkg-buildpackage -us -uc {f"-b -a {arch}" if arch else "-F"}
cp ../*.* /out
"""
    in_root(root, script, out, tree=True, log="build.log")
    return Packages(p, out)


def built(name):
    """What was built before."""
    return Packages(name, _folder(platform(name)))


def _folder(p, arch=None):
    return f"{_OUT}/{p.suite}" + (f"-{arch}" if arch else "")


def in_root(root, script, out, tree=False, log="log", limit=BUILD_LIMIT_S):
    """Runs a script in a copy of a root file system, with a folder as /out and perhaps a copy of the sources as
    /build/tenure. Returns what it said, which is kept in the folder as well."""
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="packages-") as work:
        os.makedirs(f"{work}/tree/tenure")
        for f in files() if tree else ():
            to = f"{work}/tree/tenure/{f}"
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(os.path.join(SOURCE, f), to, follow_symlinks=False)
        argv = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
                "sh", "-c", _THERE.format(work=work, root=root, out=out), "sh", script]
        p = subprocess.run(argv, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors="replace", timeout=limit, check=False)
        with open(f"{out}/{log}", "w", encoding="utf-8") as f:
            f.write(p.stdout)
        if p.returncode != 0:
            raise LabError(f"exit status {p.returncode}, see {out}/{log}:\n" + "\n".join(p.stdout.splitlines()[-60:]))
        return p.stdout


def lint(packages, say=print):
    """What lintian says, line by line; what is overridden in debian/ begins with "N:" or "O:"."""
    script = "cd /out && lintian --allow-root --fail-on=none --tag-display-limit=0 --show-overrides ./*.changes"
    said = in_root(package_root(packages.platform, say), script, packages.folder)
    return said.splitlines()


def repack(packages, version, folder, change=lambda tree: None):
    """Another version of the package tenure, without another build. Returns its file."""
    tree = f"{folder}/{version}"
    run(["dpkg-deb", "-R", packages.deb("tenure"), tree])
    control = f"{tree}/DEBIAN/control"
    with open(control, encoding="utf-8") as f:
        lines = f.read().splitlines()
    with open(control, "w", encoding="utf-8") as f:
        f.write("".join((f"Version: {version}" if line.startswith("Version:") else line) + "\n" for line in lines))
    change(tree)
    deb = f"{folder}/tenure_{version}.deb"
    run(["dpkg-deb", "--root-owner-group", "-b", tree, deb])
    return deb
