# SPDX-License-Identifier: Apache-2.0
"""Findings of sanitizers in the programs of a lab's hosts."""

import re

from .shell import LabError

# The output of a generator is lost. PID 1 logs its exit status (tests/lab/sanitizers.c).
_FOUND = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error: |"
                    r"tenure-generator\S* (?:failed with exit status 99|terminated by signal)")
_SANITIZED = ["/usr/sbin/tenured", "/usr/lib/tenure/tenure-keeper", "/usr/bin/tenurectl",
              "/usr/lib/systemd/system-generators/tenure-generator"]
_LINES_MAX = 40


def prepare(host):
    """For services. The search for leaks needs ptrace(), which agent and keeper may not use; and freed memory in quarantine
    counts towards the agent's MemoryMax=."""
    host.write_file("/etc/systemd/system.conf.d/sanitizers.conf", "[Manager]\nDefaultEnvironment="
                    "ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=32 UBSAN_OPTIONS=print_stacktrace=1\n")


def check_build(host):
    for path in _SANITIZED:
        if not host.run("grep", "-q", "__asan_init", path, check=False).ok:
            raise LabError(f"{path} of {host} is not built with sanitizers")


def check(lab):
    """Raises LabError with the findings in the journals and on the consoles of the hosts that are up."""
    for host in lab.hosts:
        if not host.up or host.frozen_at is not None:
            continue
        with open(f"{host.folder}/console", encoding="utf-8", errors="replace") as f:
            said = f.readlines()
        said += host.journal(lines=100000, boot=False).splitlines()
        found = [n for n, line in enumerate(said) if _FOUND.search(line)]
        if found:
            raise LabError(f"sanitizers found something on {host}:\n" + "\n".join(
                line.rstrip() for line in said[found[0]:found[0] + _LINES_MAX]))
