# SPDX-License-Identifier: Apache-2.0
"""What is tried with the packages on minimal hosts, one after the other: each trial goes on where the last one ended."""

import os
import re
import shutil

from lab.build import SOURCE
from lab.cluster import GROUP, UNIT, Cluster
from lab.roots import minimal_root

from .make import in_root, lint, repack

PULLED_MAX = 15
APT_LIMIT_S = 180
GUARD = f"/etc/systemd/system/{UNIT}.d/~tenure.conf"
LOCK = f"/etc/systemd/system/{UNIT}.d/~tenure-lock.conf"
# As the removal prints it.
FREE = f"rm '/etc/systemd/system/{UNIT}.d/'~tenure*.conf && systemctl daemon-reload"
WRAPPER = "/usr/local/bin/wrapper"
WRAPPED = "/etc/systemd/system/tenured.service.d/wrapper.conf"
KEEPER = f"tenure@{GROUP}.service"
ALL = []


def trial(function):
    ALL.append(function)
    return function


class Failed(Exception):
    """What was expected did not happen."""


class Hosts:
    """Two minimal hosts and a database, and what came of the packages so far."""

    def __init__(self, lab, packages, say):
        self.lab, self.packages, self.say = lab, packages, say
        self.cluster = Cluster(lab)
        self.version = packages.field("tenure", "Version")
        shutil.copy(packages.deb("tenure"), f"{lab.share}/tenure.deb")
        shutil.copy(packages.deb("tenure-doc"), f"{lab.share}/tenure-doc.deb")
        self.newer = self._repack(f"{self.version}+newer")
        self.older = self._repack(f"{self.version}~older")

    def _repack(self, version):
        """As a newer version may: with another template of the configuration."""
        def change(tree):
            with open(f"{tree}/usr/share/tenure/tenure.conf", "a", encoding="utf-8") as f:
                f.write("# another template\n")
        folder = f"{self.lab.folder}/repack"
        os.makedirs(folder, exist_ok=True)
        deb = repack(self.packages, version, folder, change)
        return "/lab/" + os.path.basename(shutil.copy(deb, self.lab.share))

    def apt(self, host, *arguments, check=True):
        """All that it and the packages' scripts said."""
        r = host.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "--no-install-recommends",
                     "-o", "Dpkg::Use-Pty=0", *arguments, check=check, timeout=APT_LIMIT_S)
        return Said(r.code, r.out + r.err)

    def version_on(self, host):
        return host.sh("dpkg-query -W -f '${db:Status-Status} ${Version}' tenure", check=False)


class Said:
    def __init__(self, code, text):
        self.code, self.text = code, text

    def __contains__(self, words):
        return words in self.text


def check(text, value, said=""):
    if not value:
        raise Failed(text + (f": {said.text if isinstance(said, Said) else said}" if said else ""))


class Undisturbed:
    """What of a group's host goes on through what is done within, by PID 1's own ids, and what is begun again."""

    def __init__(self, t, host):
        self.t, self.host = t, host

    def _ids(self, *units):
        return [(u, self.host.main_pid(u), self.host.property(u, "InvocationID")) for u in units]

    def __enter__(self):
        self.led, self.agent = self._ids(KEEPER, UNIT), self._ids("tenured.service")
        self.files = self.host.sh("cat /etc/tenure/tenure.conf /etc/tenure/groups.d/*; stat -c '%a %U %G' /etc/tenure/tenure.conf")
        check("it leads", self.led[0][1] > 0 and self.led[1][1] > 0, self.led)
        return self

    def __exit__(self, kind, *_):
        if kind:
            return
        check("keeper and unit go on", self._ids(KEEPER, UNIT) == self.led, self._ids(KEEPER, UNIT))
        check("the configuration is the administrator's", self.host.sh(
            "cat /etc/tenure/tenure.conf /etc/tenure/groups.d/*; stat -c '%a %U %G' /etc/tenure/tenure.conf") == self.files)
        self.restarted = self._ids("tenured.service") != self.agent
        self.t.cluster.wait_ready()


# What is in them


@trial
def lintian(t):
    """lintian has no error and no warning without a reason"""
    said = [line for line in lint(t.packages, t.say) if line.startswith(("E:", "W:"))]
    check("nothing", not said, "\n".join(said))


@trial
def contents(t):
    """the version is the program's; the rule for polkit comes after the template that it is about, and goes before it"""
    with open(f"{SOURCE}/meson.build", encoding="utf-8") as f:
        version = re.search(r"^  version: '(.*)'", f.read(), re.M).group(1)
    check("one version", t.version == version, f"{t.version}, {version}")
    there = t.packages.files("tenure")
    rule, template = (there.index(f"./usr/{f}") for f in ("share/polkit-1/rules.d/50-tenure.rules",
                                                         "lib/systemd/system/tenure@.service"))
    # dpkg puts files into place in this order, and removes them in the reverse one.
    check("the template comes first", template < rule)
    for name in ("usr/sbin/tenured", "usr/bin/tenurectl", "usr/lib/tenure/tenure-keeper",
                 "usr/lib/systemd/system-generators/tenure-generator", "usr/share/man/man8/tenured.8.gz",
                 "usr/share/man/man8/tenurectl.8.gz", "usr/share/man/man8/tenure-keeper.8.gz",
                 "usr/share/man/man5/tenure.conf.5.gz"):
        check(f"{name} is in it", f"./{name}" in there)
    check("nothing of the administrator's is in it", not [f for f in there if f.startswith("./etc/tenure")])
    check("the guide is in tenure-doc", "./usr/share/doc/tenure-doc/docs/guide/install.md" in t.packages.files("tenure-doc"))


# In a root file system without a running systemd

_CHROOT = r"""
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
apt() { apt-get -q -y --no-install-recommends "$@"; }
mkdir -p /etc/tenure/groups.d
echo '# of an earlier installation' >/etc/tenure/tenure.conf
echo 'groups = ( { name = "work"; units = [ "worker.service" ]; lease = "15s"; stop_timeout = "5s"; } );' >/etc/tenure/groups.d/work.conf
apt install /out/tenure_*.deb
for again in 1 2; do /var/lib/dpkg/info/tenure.postinst configure ''; done
[ "$(cat /etc/tenure/tenure.conf)" = '# of an earlier installation' ]
[ "$(stat -c '%a %U %G' /etc/tenure/tenure.conf)" = '640 root tenure' ]
[ ! -e /etc/systemd/system/multi-user.target.wants/tenured.service ]
/var/lib/dpkg/info/tenure.prerm upgrade 9
/var/lib/dpkg/info/tenure.postinst abort-upgrade 9
# A chroot in this one has /run of a running system, whose tenure may lead: nothing there is touched.
mkdir -p /srv/inner /srv/layers /run/systemd/system
chown 12345 /run/tenure/tickets
mount -t tmpfs layers /srv/layers
mkdir /srv/layers/upper /srv/layers/work
mount -t overlay inner -o lowerdir=/,upperdir=/srv/layers/upper,workdir=/srv/layers/work /srv/inner
mount -t proc proc /srv/inner/proc
mount --bind /run /srv/inner/run
all_of_run() { find /run -printf '%p %u %m\n' | sort; }
inner() { script=$1; shift; chroot /srv/inner "/var/lib/dpkg/info/tenure.$script" "$@"; }
before=$(all_of_run)
inner preinst install 1
[ "$(all_of_run)" = "$before" ]
inner postinst configure ''
[ "$(all_of_run)" = "$before" ]
inner prerm remove
[ "$(all_of_run)" = "$before" ]
rm /srv/inner/usr/sbin/tenured
inner postrm remove
inner postrm purge
[ ! -e /srv/inner/etc/tenure ]
[ "$(all_of_run)" = "$before" ]
umount -R /srv/inner
umount /srv/layers
rmdir /run/systemd/system
chown tenure /run/tenure/tickets
apt remove tenure
# Never applied, but another host may run it.
grep -q AssertPathExists= /etc/systemd/system/worker.service.d/~tenure-lock.conf
apt install /out/tenure_*.deb
[ ! -e /etc/systemd/system/worker.service.d ]
apt remove tenure
cp /etc/needrestart/conf.d/tenure.conf /tmp/needrestart.conf
mkdir -p /srv/groups; mv /etc/tenure/groups.d/work.conf /srv/groups/
mount --bind /srv/groups /etc/tenure/groups.d
cp /var/lib/dpkg/info/tenure.postrm /tmp
apt purge tenure
cat /srv/groups/work.conf
[ -e /etc/tenure ]
# Files there may be its own.
[ -n "$(getent passwd tenure)" ]
touch /etc/systemd/system/worker.service.d/~tenure.new
umount /etc/tenure/groups.d
for again in 1 2; do /tmp/tenure.postrm purge; done
[ ! -e /etc/tenure ]
[ -z "$(getent passwd tenure)" ]
[ ! -e /etc/systemd/system/worker.service.d/~tenure.new ]
# Nothing names the unit any more: the lock is all that keeps it from starting.
apt install /out/tenure_*.deb
grep -q AssertPathExists= /etc/systemd/system/worker.service.d/~tenure-lock.conf
cp /srv/groups/work.conf /etc/tenure/groups.d/
/var/lib/dpkg/info/tenure.postinst configure ''
[ ! -e /etc/systemd/system/worker.service.d ]
apt purge tenure
grep -q AssertPathExists= /etc/systemd/system/worker.service.d/~tenure-lock.conf
# A keeper is not restarted because a library is new; the agent may be, and what is not ours as well.
perl -e 'our %nrconf; my $file = shift; my $text = do { local (@ARGV, $/) = $file; <> }; eval $text or die $@;
    my @kept = grep { my $s = $_; grep { $s =~ /$_/ } keys %{$nrconf{override_rc}} }
        ("tenure\@work.service", "tenured.service", "worker.service");
    die "@kept" if "@kept" ne "tenure\@work.service"' /tmp/needrestart.conf
echo SEEN TO THE END
"""


@trial
def in_a_chroot(t):
    """installs, is removed and purged where no systemd runs; an earlier configuration stays; purge follows no mount"""
    said = in_root(minimal_root(t.packages.platform, t.say), f"set -ex\n{_CHROOT}", t.packages.folder)
    check("all of it", "SEEN TO THE END" in said, said)
    check("it names the locks that stay", "nothing else guards them now" in said, said)


# On hosts


@trial
def minimal_install(t):
    """on a minimal host it pulls at most 15 packages, and no compiler; nothing is started, nothing enabled"""
    for host in t.lab.hosts:
        before = set(host.sh("dpkg-query -W -f '${Package}\\n'").split())
        t.apt(host, "install", "/lab/tenure.deb")
        pulled = set(host.sh("dpkg-query -W -f '${Package}\\n'").split()) - before - {"tenure"}
        check(f"at most {PULLED_MAX}", len(pulled) <= PULLED_MAX, f"{len(pulled)}: {' '.join(sorted(pulled))}")
        check("no compiler", not host.sh("command -v cc gcc cpp clang as ld", check=False))
        check("nothing is started", host.state("tenured.service") == "inactive")
        check("nothing is enabled", host.sh("systemctl is-enabled tenured.service", check=False) == "disabled")
        check("the configuration is for tenure alone", host.sh("stat -c '%a %U %G' /etc/tenure/tenure.conf") == "640 root tenure")
        check("the journal's catalog is there", host.sh("journalctl --list-catalog | grep -c tenure", check=False) != "0")
        check("its version", t.version in host.sh("tenured --version"), host.sh("tenured --version"))
    t.say(f"{len(pulled)} packages pulled, recommended ones aside: {' '.join(sorted(pulled))}")


@trial
def upgrade_of_a_stopped_agent(t):
    """an upgrade starts no agent that was not running"""
    host = t.lab.hosts[0]
    t.apt(host, "install", t.newer)
    t.apt(host, "--allow-downgrades", "install", "/lab/tenure.deb")
    check("it is not started", host.state("tenured.service") == "inactive", host.state("tenured.service"))
    check("nor enabled", host.sh("systemctl is-enabled tenured.service", check=False) == "disabled")


@trial
def quick_start(t):
    """as the guide has it: two hosts and a PostgreSQL, and one leads"""
    t.cluster.install()
    for host in t.lab.hosts:
        host.systemctl("enable", "--quiet", UNIT)
    t.leader = t.cluster.start()
    t.standby = t.cluster.standbys()[0]


@trial
def upgrade(t):
    """an upgrade under leadership restarts the agent and nothing else; what the administrator wrote stays"""
    for host in (t.standby, t.leader):
        with Undisturbed(t, t.leader) as u:
            said = t.apt(host, "install", t.newer)
            check("it is the newer one", t.version_on(host) == f"installed {t.version}+newer", t.version_on(host))
        check("the leader's agent is restarted by its own upgrade alone", u.restarted == (host is t.leader), said)


@trial
def interrupted_upgrade(t):
    """one that ends between unpacking and configuring disturbs nothing, and can be finished"""
    with Undisturbed(t, t.leader) as u:
        t.leader.run("dpkg", "--unpack", t.newer, timeout=APT_LIMIT_S)
    check("the agent runs on", not u.restarted)
    with Undisturbed(t, t.leader) as u:
        t.leader.run("dpkg", "--configure", "-a", timeout=APT_LIMIT_S)
    check("it is restarted", u.restarted)


@trial
def downgrade(t):
    """back to the version before, and to one before that, as an upgrade"""
    for deb, version in ((t.older, f"{t.version}~older"), ("/lab/tenure.deb", t.version)):
        for host in (t.standby, t.leader):
            with Undisturbed(t, t.leader):
                t.apt(host, "--allow-downgrades", "install", deb)
                check("it is this one", t.version_on(host) == f"installed {version}", t.version_on(host))


@trial
def denied_remove(t):
    """a removal is refused while policy-rc.d keeps the agent from being stopped, and changes nothing"""
    t.leader.write_file("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    with Undisturbed(t, t.leader) as u:
        said = t.apt(t.leader, "remove", "tenure", check=False)
        check("it fails", said.code != 0, said)
        check("and says why", "tenured.service still runs" in said, said)
        check("it is still there", t.version_on(t.leader) == f"installed {t.version}", t.version_on(t.leader))
    check("the agent runs on", not u.restarted)
    t.leader.run("rm", "/usr/sbin/policy-rc.d")


@trial
def remove_without_guards(t):
    """a removal is refused while a guard on the disk is lost and cannot be written, and changes nothing"""
    units = os.path.dirname(os.path.dirname(GUARD))
    with Undisturbed(t, t.leader) as u:
        t.leader.sh(f"mount --bind {units} {units} && rm {GUARD} && mount -o remount,bind,ro {units}")
        said = t.apt(t.leader, "remove", "tenure", check=False)
        check("it fails", said.code != 0, said)
        check("and says why", f"{GUARD} cannot be written" in said, said)
        t.leader.run("umount", units)
    check("the agent runs on", not u.restarted)
    t.leader.systemctl("daemon-reload")     # after which the agent looks
    t.leader.wait_for("the guard to be written again", lambda: t.leader.exists(GUARD), timeout=30)


@trial
def refused_after_the_stop(t):
    """an agent that a removal stopped before it was refused is started again, even if it is not enabled"""
    host, scripts = t.standby, "/var/lib/dpkg/info/tenure"
    host.systemctl("disable", "--quiet", "tenured.service")
    host.run(f"{scripts}.prerm", "remove", timeout=APT_LIMIT_S)
    check("it is stopped", host.state("tenured.service") == "inactive", host.state("tenured.service"))
    host.run(f"{scripts}.postinst", "abort-remove", timeout=APT_LIMIT_S)        # as dpkg does then
    check("it runs again", host.state("tenured.service") == "active", host.state("tenured.service"))
    host.systemctl("enable", "--quiet", "tenured.service")
    check("the leader stays", t.cluster.wait_ready() is t.leader)


@trial
def remove_while_leading(t):
    """a removal steps down first, and says so; another host leads, and no two run the unit"""
    said = t.apt(t.leader, "remove", "tenure")
    check("it says so", f"This host leads {GROUP}, and is to step down" in said, said)
    check("it names the unit", f"\n    {UNIT}\n" in said, said)
    check("it names the command", FREE in said, said)
    check("the rule is gone", not t.leader.exists("/usr/share/polkit-1/rules.d/50-tenure.rules"))
    t.removed, t.leader = t.leader, t.cluster.wait_leader(t.leader)
    t.standby = None
    check("one at a time", t.lab.testimony().dual_active(0, t.lab.testimony().last_beat()) == 0)


def start_is_refused(host):
    r = host.systemctl("start", UNIT, check=False)
    check("a start is refused", r.code != 0)
    check("it does not run", host.state(UNIT) in ("inactive", "failed"), host.state(UNIT))
    return r.err


@trial
def guarded_after_removal(t):
    """after it no unit of a group starts, by hand, by a daemon-reload or by a boot"""
    said = start_is_refused(t.removed)
    check("systemd says what the guide quotes", f"Unit {KEEPER} not found." in said, said)
    t.removed.systemctl("daemon-reload")
    start_is_refused(t.removed)
    check("it is enabled", t.removed.sh(f"systemctl is-enabled {UNIT}") == "enabled")
    t.removed.reboot()
    check("it was never active", t.removed.property(UNIT, "ActiveEnterTimestampMonotonic") == "0",
          t.removed.property(UNIT, "ActiveEnterTimestampMonotonic"))
    start_is_refused(t.removed)
    check("it was never started", t.removed.sh(f"journalctl -q -b -u {UNIT} | grep -c Started", check=False) == "0")
    check("one at a time", t.lab.testimony().dual_active(0, t.lab.testimony().last_beat()) == 0)


@trial
def install_again(t):
    """installed again it is a standby without help, and leads when the other one goes"""
    t.apt(t.removed, "install", "/lab/tenure.deb")
    check("the leader stays", t.cluster.wait_ready() is t.leader)
    t.leader.systemctl("stop", "tenured.service")
    t.leader, t.standby = t.cluster.wait_leader(t.leader), t.leader
    check("it is this one", t.leader is t.removed)


@trial
def remove_behind_a_wrapper(t):
    """where a drop-in has another program start the agent, an upgrade and a removal do what they do elsewhere"""
    host = t.leader
    t.standby.systemctl("start", "tenured.service")
    host.write_file(WRAPPER, '#!/bin/sh\nexec /usr/sbin/tenured "$@"\n', 0o755)
    host.write_file(WRAPPED, f"[Service]\nExecStart=\nExecStart={WRAPPER}\n")
    host.systemctl("daemon-reload")
    host.systemctl("restart", "tenured.service")
    check("it still leads", t.cluster.wait_ready() is host)
    with Undisturbed(t, host) as u:
        host.run("dpkg", "--install", "/lab/tenure.deb", timeout=APT_LIMIT_S)
    check("the agent is restarted", u.restarted)
    said = t.apt(host, "remove", "tenure")
    check("it steps down", f"This host leads {GROUP}, and is to step down" in said, said)
    check("its agent is stopped", host.state("tenured.service") in ("inactive", "failed"), said)
    start_is_refused(host)
    check("the other one leads", t.cluster.wait_leader(host) is t.standby)
    t.leader, t.standby = t.standby, host
    host.run("rm", WRAPPER, WRAPPED)
    t.apt(host, "install", "/lab/tenure.deb")
    check("the leader stays", t.cluster.wait_ready() is t.leader)


@trial
def remove_with_a_stray(t):
    """what runs without leadership, with all its guards and the agent gone, is stopped by the removal, and guarded again"""
    host = t.standby
    host.systemctl("stop", "tenured.service")       # which would stop the unit, too
    host.run("mkdir", "-p", "/etc/systemd/system-generators")
    host.run("ln", "-s", "/dev/null", "/etc/systemd/system-generators/tenure-generator")
    host.run("rm", GUARD)
    host.systemctl("daemon-reload")
    host.systemctl("start", UNIT)
    host.run("rm", "/etc/systemd/system-generators/tenure-generator")
    check("it runs", host.state(UNIT) == "active", host.state(UNIT))
    said = t.apt(host, "remove", "tenure")
    check("it is stopped", host.state(UNIT) in ("inactive", "failed"), said)
    check("its guard is back", host.exists(GUARD))
    start_is_refused(host)


@trial
def purge(t):
    """leaves nothing but the guards of groups that were not released, and names them"""
    host = t.standby
    said = t.apt(host, "purge", "tenure")
    check("it names the unit", f"\n    {UNIT}\n" in said, said)
    left = host.sh("find /etc /usr /opt /srv /root /home /run /var -xdev -name '*tenure*' -not -path '/var/cache/apt/*' "
                   "-not -path '/run/systemd/*' -not -path '/run/host/*'").split()
    check("nothing else is left", left == [GUARD], left)
    check("nor the user", host.sh("getent passwd tenure; getent group tenure", check=False) == "")
    start_is_refused(host)


@trial
def install_after_purge(t):
    """installed and configured after a purge it is a standby again"""
    host = t.standby
    t.apt(host, "install", "/lab/tenure.deb")
    t.cluster.configure(host)
    host.systemctl("enable", "--quiet", "--now", "tenured.service")
    check("the leader stays", t.cluster.wait_ready() is t.leader)
    t.apt(host, "purge", "tenure")


@trial
def freed(t):
    """the command that is named frees the unit"""
    host = t.standby
    host.sh(FREE)
    host.systemctl("start", UNIT)
    check("it runs", host.state(UNIT) == "active")
    host.systemctl("stop", UNIT)
    host.systemctl("disable", "--quiet", UNIT)


@trial
def never_applied(t):
    """a declared group that was never applied: purged or installed again, its unit does not start until the group is applied"""
    host = t.standby
    t.apt(host, "install", "/lab/tenure.deb")
    t.cluster.configure(host)
    said = t.apt(host, "purge", "tenure")
    check("it names the unit", f"\n    {UNIT}\n" in said, said)
    start_is_refused(host)
    said = t.apt(host, "install", "/lab/tenure.deb")
    check("it names the unit again", f"\n    {UNIT}\n" in said, said)
    check("the lock stays", host.exists(LOCK), said)
    start_is_refused(host)
    t.cluster.configure(host)
    host.systemctl("enable", "--quiet", "--now", "tenured.service")
    check("the leader stays", t.cluster.wait_ready() is t.leader)
    check("applied, it has no lock", not host.exists(LOCK) and LOCK not in host.property(UNIT, "DropInPaths"),
          host.property(UNIT, "DropInPaths"))
    start_is_refused(host)
    t.apt(host, "purge", "tenure")
    host.sh(FREE)


@trial
def purge_beside_another(t):
    """beside another installation a purge leaves what is that one's, too"""
    host = t.leader
    there = "find /etc/tenure /etc/tenure.applied /etc/systemd/system -type f -exec sha256sum {} + | sort; getent passwd tenure"
    host.run("cp", "/usr/sbin/tenured", "/usr/local/sbin/tenured")
    host.run("cp", "/usr/bin/tenurectl", "/usr/local/bin/tenurectl")
    before = host.sh(there)
    said = t.apt(host, "purge", "tenure")
    check("it steps down", "and is to step down" in said, said)
    check("it names the other one", "There is another installation (/usr/local/sbin/tenured)" in said, said)
    check("all is there", host.sh(there) == before, host.sh(there))
    start_is_refused(host)
