# SPDX-License-Identifier: Apache-2.0
"""The product as a package would install it: built by meson, for the release that it is to run on."""

import hashlib
import os
import shlex
import shutil

from .platforms import CACHE, platform
from .roots import build_root, in_use, locked
from .shell import LabError, run

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))

_SETUP = ["--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var",
          "-Dbuildtype=debugoptimized", "-Dtests=false"]
_STAGES_KEPT = 4
# Hosts have no libasan.
_SANITIZERS = ["-Db_sanitize=address,undefined", "-Db_lundef=false",
               "-Dc_args=-fno-sanitize-recover=all",
               "-Dc_link_args=-static-libasan -static-libubsan {source}/tests/lab/sanitizers.c"]


class Stage:
    """A folder with the installed product, and what it was built from."""

    def __init__(self, path, build_id):
        self.path, self.build_id = path, build_id


def build(name, say=print, source=SOURCE, sanitize=False):
    """Build the tree for a platform and install it to a stage of its own."""
    p = platform(name)
    options = _SETUP + (_SANITIZERS if sanitize else [])
    tree = hashlib.sha256("\0".join([source, *options]).encode()).hexdigest()[:8]
    tree += "-sanitizers" if sanitize else ""
    with locked(f"build-{p.suite}"):
        folder = f"{CACHE}/build-{p.suite}-{tree}"
        fresh = f"{CACHE}/stage-{p.suite}-unfinished"
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh)
        os.makedirs(folder, exist_ok=True)
        say(f"building for Debian {p.suite}" + (", with sanitizers" if sanitize else ""))
        if needs_build_root(p):
            _build_there(build_root(p, say), source, folder, fresh, options)
        else:
            _build_here(source, folder, fresh, options)
        return _publish(p, fresh, source)


def install(name, folder, say=print):
    """A stage of what was built in a folder already, on this machine and for its own release."""
    p = platform(name)
    if needs_build_root(name):
        raise LabError(f"what was built here does not run on Debian {p.suite}")
    with locked(f"build-{p.suite}"):
        fresh = f"{CACHE}/stage-{p.suite}-unfinished"
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh)
        say(f"installing from {folder}")
        run(["meson", "install", "-C", folder, "--no-rebuild", "--destdir", fresh], timeout=60,
            env=_clean_environment())
        return _publish(p, fresh, SOURCE)


def _steps(source, folder, stage, options):
    """meson's set-up runs only where there is no usable one."""
    return f"""
set -e
cd /
if ! ninja -C {folder} -n build.ninja >/dev/null 2>&1; then
    find {folder} -mindepth 1 -delete
    meson setup {folder} {source} {shlex.join(o.format(source=source) for o in options)}
fi
meson compile -C {folder}
meson install -C {folder} --no-rebuild --destdir {stage}
"""


def needs_build_root(name):
    """Whether this machine is of another release: a binary of one does not run on the other."""
    return _release() != platform(name).suite


def _release():
    with open("/etc/os-release", encoding="utf-8") as f:
        lines = dict(line.rstrip().split("=", 1) for line in f if "=" in line)
    return lines.get("VERSION_CODENAME", "").strip('"')


def _clean_environment():
    # The caller's compiler flags and paths must not decide what is tested.
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


def _build_here(source, folder, stage, options):
    run(["sh", "-c", _steps(source, folder, stage, options)], timeout=600, env=_clean_environment())


def _build_there(root, source, folder, stage, options):
    """Runs in a mount namespace of its own, so that no mount can be left behind."""
    script = f"""
set -e
mkdir -p {root}/src {root}/build {root}/stage
mount --bind {source} {root}/src
mount -o remount,bind,ro {root}/src
mount --bind {folder} {root}/build
mount --bind {stage} {root}/stage
mount --rbind /dev {root}/dev
mount -t proc proc {root}/proc
exec chroot {root} sh -c "$1"
"""
    run(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
         "sh", "-c", script, "sh", _steps("/src", "/build", "/stage", options)],
        timeout=600, env=_clean_environment())


def _publish(p, fresh, source):
    """Names the stage by its content, so that a running lab keeps its stage when another is built."""
    digest = _digest(fresh)
    path = f"{CACHE}/stage-{p.suite}-{digest}"
    if os.path.isdir(path):
        shutil.rmtree(fresh)
        os.utime(path)
    else:
        os.chmod(fresh, 0o755)
        os.rename(fresh, path)
    stages = sorted((f"{CACHE}/{n}" for n in os.listdir(CACHE)
                     if n.startswith(f"stage-{p.suite}-") and not n.endswith("unfinished")),
                    key=os.path.getmtime)
    for old in stages[:-_STAGES_KEPT]:
        if not in_use(old):
            shutil.rmtree(old, ignore_errors=True)
    return Stage(path, f"{described(source)} ({digest})")


def _digest(folder):
    h = hashlib.sha256()
    for where, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(where, name)
            h.update(os.path.relpath(path, folder).encode() + b"\0")
            if os.path.islink(path):
                h.update(os.readlink(path).encode())
            else:
                h.update(b"%o" % os.stat(path).st_mode)
                with open(path, "rb") as f:
                    h.update(f.read())
    return h.hexdigest()[:12]


def described(source=SOURCE):
    """Which revision it is, for a report."""
    # safe.directory: root often runs this in another user's tree.
    r = run(["git", "-c", f"safe.directory={source}", "-C", source, "describe", "--always",
             "--dirty", "--tags"], check=False)
    return r.out.strip() if r.ok else "no git"


def build_witness(say=print):
    """Static, so that one binary runs on every platform."""
    return _build_tool("witness", ["-static"], say)


def build_pulse(say=print):
    """The program that measures pauses of the machine itself."""
    return _build_tool("pulse", [], say)


def build_wallclock(say=print):
    """The library that gives a process a wall clock of its own."""
    return _build_tool("wallclock", ["-shared", "-fPIC"], say)


def _build_tool(name, options, say):
    source = os.path.join(os.path.dirname(__file__), "..", f"{name}.c")
    with open(source, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()[:12]
    path = f"{CACHE}/{name}-{digest}"
    with locked(name):
        if not os.path.exists(path):
            say(f"building the {name}")
            run(["gcc", *options, "-O2", "-Wall", "-Wextra", "-o", f"{path}.unfinished", source],
                env=_clean_environment())
            os.rename(f"{path}.unfinished", path)
    return path


__all__ = ["Stage", "build", "build_pulse", "build_witness", "build_wallclock", "LabError"]
