# SPDX-License-Identifier: Apache-2.0
"""Root file systems of Debian, made once and kept: one to run hosts from, one to build in, one with the
provers of each release; and for Debian packages those to build them in and those to install them to."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess

from .platforms import CACHE, platform
from .shell import LabError, run

# Part of the key of a root. Increment it when the way of making roots changes.
_RECIPE = 4
_ROOTS_KEPT = 3

# Units that are of no use in a lab: they cost boot time, or need hardware or the internet.
_MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer",
           "e2scrub_all.timer", "e2scrub_reap.service", "getty.target", "console-getty.service",
           "systemd-networkd-wait-online.service", "systemd-timesyncd.service",
           "systemd-journald-audit.socket", "systemd-update-utmp.service",
           "systemd-update-utmp-runlevel.service", "remote-fs.target", "systemd-pstore.service",
           "systemd-hwdb-update.service", "systemd-firstboot.service", "systemd-growfs-root.service",
           "logrotate.timer", "man-db.timer", "systemd-tmpfiles-clean.timer"]


# Each host gets its own.
_NO_IDENTITY = ('rm -f "$1"/etc/machine-id "$1"/etc/hostname "$1"/etc/resolv.conf; '
                ': >"$1"/etc/machine-id; : >"$1"/etc/resolv.conf')


@contextlib.contextmanager
def locked(name):
    """A lock, because two labs may start at the same time."""
    os.makedirs(CACHE, exist_ok=True)
    with open(f"{CACHE}/.{name}.lock", "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def runtime_root(name, say=print):
    """The folder from which hosts of a platform run. It is made when it is missing or its recipe has changed."""
    p = platform(name)
    return _root(p, "host", p.packages, say)


def build_root(name, say=print):
    p = platform(name)
    return _root(p, "build", p.build_packages, say)


def proof_root(name, say=print):
    """Programs are run from it, nothing is built in it."""
    p = platform(name)
    return _root(p, "proof", p.proof_packages, say)


def package_root(name, say=print):
    """To build Debian packages in."""
    p = platform(name)
    return _root(p, "package", p.package_packages, say)


def cross_root(name, arch, say=print):
    """To build Debian packages for another architecture in, and to run their unit tests."""
    p = platform(name)
    return _root(p, f"cross-{arch}", p.cross_packages(arch), say, [f"--architectures={_architecture()},{arch}"])


def minimal_root(name, say=print):
    """As an administrator begins: apt, systemd, and nothing else. What a package of ours depends on is known to apt and
    downloaded, so that it works in hosts that have no network but the lab's."""
    p = platform(name)
    download = ('--customize-hook=chroot "$1" apt-get -q -y --no-install-recommends '
                'install --download-only ' + " ".join(p.package_needs))
    return _root(p, "minimal", p.minimal_packages, say, [download], key=p.package_needs)


def _architecture():
    return run(["dpkg", "--print-architecture"]).out.strip()


def find_proof_root(name):
    """The folder with the provers, or None if it was not made yet: the proofs use it, and only tests/setup makes it."""
    p = platform(name)
    path = _path(p, "proof", p.proof_packages)
    return path if os.path.isdir(path) else None


def _path(p, purpose, packages, key=()):
    key = hashlib.sha256(repr((_RECIPE, _MASKED, sorted(packages), *key)).encode()).hexdigest()[:12]
    return f"{CACHE}/{p.suite}-{purpose}-{key}"


def _root(p, purpose, packages, say, options=(), key=()):
    path = _path(p, purpose, packages, key)
    with locked(f"{p.suite}-{purpose}"):
        if not os.path.isdir(path):
            _make(p, purpose, packages, path, say, options)
    return path


def _make(p, purpose, packages, path, say, options):
    say(f"making a root file system of Debian {p.suite} ({purpose}, {len(packages)} packages): "
        "about half a minute")
    unfinished = f"{path}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    argv = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", *_proxies(), *options]
    if purpose == "minimal":
        argv += ["--skip=cleanup/apt", f"--customize-hook={_NO_IDENTITY}"]
    else:
        argv += ["--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
                 "--dpkgopt=path-exclude=/usr/share/locale/*"]
    if purpose == "host":
        argv += _host_hooks(p)
    argv += [p.suite, unfinished, *_mirror()]
    _with_progress(argv, say)
    # It gets its final name when it is complete: an interrupted run leaves no partial one behind.
    os.rename(unfinished, path)
    # Two working trees may need different ones, so the newest others are kept.
    others = sorted((f"{CACHE}/{n}" for n in os.listdir(CACHE)
                     if n.startswith(f"{p.suite}-{purpose}-") and not n.endswith(".unfinished")),
                    key=lambda f: os.stat(f).st_ctime)
    for other in others[:-_ROOTS_KEPT]:
        if not in_use(other):
            shutil.rmtree(other, ignore_errors=True)


def in_use(folder):
    """Whether a mounted host uses it."""
    with open("/proc/mounts", encoding="utf-8", errors="replace") as f:
        return folder in f.read()


def _host_hooks(p):
    def hook(command):
        return f"--customize-hook=set -e; {command}"

    units = '"$1"/etc/systemd/system'
    cluster = f"{p.postgresql} main"
    return [
        hook(f"mkdir -p {units}; for u in {' '.join(_MASKED)}; do ln -sf /dev/null {units}/$u; done"),
        # Only the database host runs PostgreSQL. Its cluster is made here, once, to save time there.
        hook(f"rm -f {units}/multi-user.target.wants/postgresql.service "
             f"{units}/multi-user.target.wants/pgbouncer.service"),
        hook(f'chroot "$1" sh -c "pg_dropcluster {cluster} 2>/dev/null || true; '
             f'pg_createcluster --locale C.UTF-8 -e UTF8 {cluster} >/dev/null"'),
        # Nothing to be brought up to date at the first boot.
        hook(_NO_IDENTITY),
        # The journal of a host outlives its death and can be read after it.
        hook('mkdir -p "$1"/etc/systemd/journald.conf.d "$1"/var/log/journal; printf '
             '"[Journal]\\nStorage=persistent\\nSystemMaxUse=48M\\nRateLimitIntervalSec=0\\n'
             'SyncIntervalSec=1s\\n" >"$1"/etc/systemd/journald.conf.d/lab.conf'),
        hook('rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*; '
             'touch "$1"/etc/.updated "$1"/var/.updated'),
    ]


def _mirror():
    """The mirror this machine is set up with, unless TENURE_LAB_MIRROR names one."""
    named = os.environ.get("TENURE_LAB_MIRROR")
    if named:
        return [named]
    found = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                 "Origin: Debian", "Label: Debian"], check=False).out.split()
    # A mirror on this machine's disk, or with a method that a new root lacks, cannot be used there.
    found = [u for u in found if u.startswith(("http://", "https://"))]
    return found[:1]


def _proxies():
    """apt in the new root uses the proxies of apt on this machine."""
    settings = run(["apt-config", "dump", "Acquire"], check=False).out.splitlines()
    return [f"--aptopt={line}" for line in settings if "::Proxy" in line and '""' not in line]


def _with_progress(argv, say):
    try:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace")
    except FileNotFoundError as e:
        raise LabError("mmdebstrap is not installed: run tests/setup") from e
    said = []
    try:
        for line in p.stdout:
            said.append(line.rstrip())
            if line.startswith("I: ") and line.rstrip().endswith("..."):
                say("    " + line[3:].strip())
        if p.wait(timeout=600) != 0:
            raise LabError("mmdebstrap failed:\n" + "\n".join(said[-25:]))
    finally:
        if p.poll() is None:
            p.terminate()
            p.wait(timeout=30)
