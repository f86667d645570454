# SPDX-License-Identifier: Apache-2.0
"""CBMC: a harness in tests/proof that includes shipped sources, and what it states of them with PROVE()."""

import re

from .proof import Piece, Property
from .tools import ToolFailed, in_root, names_in

# Loops go through the bytes of an owner, 97, or of a nonce. That no loop goes on is asserted.
UNWIND = "101"
# Most are CBMC's defaults; what is asked shall not depend on its version.
CHECKS = ["--unwinding-assertions", "--bounds-check", "--pointer-check", "--pointer-primitive-check",
          "--pointer-overflow-check", "--div-by-zero-check", "--signed-overflow-check", "--undefined-shift-check",
          "--unsigned-overflow-check", "--conversion-check"]
# The same in three parts. For what PID 1 says, the solver takes seconds for each and minutes for all of them at once.
KINDS = (["--unsigned-overflow-check"],
         ["--unwinding-assertions", "--div-by-zero-check", "--signed-overflow-check", "--undefined-shift-check",
          "--conversion-check"],
         ["--bounds-check", "--pointer-check", "--pointer-primitive-check", "--pointer-overflow-check"])
assert sorted(sum(KINDS, [])) == sorted(CHECKS)
NAME = re.compile(r'PROVE\(\s*"([^"]+)"')
RESULT = re.compile(r"^\[(\S+?)\] (?:line (\d+) )?(.*): (SUCCESS|FAILURE|UNKNOWN|ERROR)$", re.M)
PLACE = re.compile(r"^Property (\S+):\n.*\n  (.*)$", re.M)
ENUM = r"enum %s \{(.*?)\n\}"


def cbmc(harness, defines, include, *options):
    return in_root("trixie", ["cbmc", "--unwind", UNWIND, *options, "-D_GNU_SOURCE", f"-I{include}",
                              *(f"-D{d}" for d in defines), f"tests/proof/{harness}.c"])


def run(harness, defines=(), checks=True, include="agent", only=()):
    """Returns [(id, line, description, holds)] and the seconds it took. only: these, and nothing that cannot
    lead to them."""
    options = CHECKS if checks is True else ["--no-standard-checks", *(checks or ())]
    for identifier in only:
        options = [*options, "--property", identifier]
    status, said, seconds = cbmc(harness, defines, include, *options, *(["--reachability-slice"] if only else []))
    results = [(i, line, what, verdict) for i, line, what, verdict in RESULT.findall(said)]
    # 0: all hold; 10: some do not. Anything else says nothing about any of them.
    if status not in (0, 10) or not results or any(v in ("UNKNOWN", "ERROR") for *_, v in results):
        raise ToolFailed(f"cbmc {harness} {' '.join(defines)}: exit status {status}\n{said[-2000:]}")
    return [(i, line, what, v == "SUCCESS") for i, line, what, v in results], seconds


def enumerators(path, enum):
    with_body = re.compile(ENUM % enum, re.S)
    body = names_in(path, with_body)[0]
    return re.findall(r"^\s+([A-Z]\w+)", body, re.M)


class CbmcProof:
    """parts: [(name, defines)], each proven by itself. reached_by: the same, for the other question. whole: parts
    that are proven in pieces, and refuted as they are."""

    def __init__(self, name, about, harness, parts, reached_by, whole=()):
        self.name, self.about, self.harness = name, about, harness
        self.parts, self.reached_by, self.whole = parts, reached_by, whole
        named = names_in(f"tests/proof/{harness}.c", NAME)
        self.properties = {n: Property(n) for n in named}
        # Of the shipped code, of CBMC's library and of the harness itself: it need not "happen".
        self.code = Property(f"{name}-no-undefined-behaviour")
        self.assertions = Property(f"{name}-assertions-hold")
        self.loops = Property(f"{name}-loops-are-unrolled")
        self.sites = {}

    def all_properties(self):
        for p in (self.code, self.assertions, self.loops):
            p.must_happen = False
        return [*self.properties.values(), self.code, self.assertions, self.loops]

    def pieces(self):
        return [Piece(f"{self.name}: {part}", "prove", lambda p=part, d=defines: self.prove(p, d))
                for part, defines in self.parts] + \
               [Piece(f"{self.name}: can it happen: {part}", "reach", lambda p=part, d=defines: self.reach(p, d))
                for part, defines in self.reached_by]

    def property_of(self, identifier, what):
        if what in self.properties:
            return self.properties[what]
        if ".unwind." in identifier or ".recursion" in identifier:
            return self.loops
        return self.assertions if ".assertion." in identifier else self.code

    def prove(self, part, defines):
        ran = [run(self.harness, defines, kind) for kind in (KINDS if "BY_PARTS" in defines else [True])]
        seconds = sum(s for _, s in ran)
        for identifier, line, what, holds in (r for results, _ in ran for r in results):
            p = self.property_of(identifier, what)
            p.proven(seconds)
            if not holds:
                p.broken.append(f"{part}, line {line}: {what} [{identifier}]")
        return seconds

    def reach(self, part, defines):
        """Each place where a property is stated must be one that can be come to, with its premise."""
        results, seconds = run(self.harness, [*defines, "REACH"], checks=False)
        for identifier, _, what, holds in results:
            if what in self.properties:
                self.sites.setdefault(identifier, [what, False])
                if not holds:
                    self.sites[identifier][1] = True
                    if part not in self.properties[what].happens:
                        self.properties[what].happens.append(part)
        return seconds

    def judge(self):
        for identifier, (what, can) in self.sites.items():
            if not can:
                self.properties[what].broken.append(f"vacuous: its premise cannot be true at {identifier}")

    def refuted(self, folder, part, by):
        """The properties that do not hold for sources in another folder, below BUILD. By a property with a name: only
        that one is asked."""
        defines, include = dict([*self.parts, *self.whole])[part], f"/build/{folder}"
        places = []
        if by in self.properties:
            listed = cbmc(self.harness, defines, include, "--no-standard-checks", "--show-properties")[1]
            places = [i for i, what in PLACE.findall(listed) if what == by]
            if not places:
                raise ToolFailed(f"{part} does not state {by}:\n{listed[-500:]}")
        results, seconds = run(self.harness, defines, by == self.code.name, include, places)
        return {self.property_of(i, what).name for i, _, what, holds in results if not holds}, seconds


def member():
    events = enumerators("agent/election/member.h", "member_event_type")
    states = enumerators("agent/election/member.h", "member_state")
    label = lambda word: word.partition("_")[2].lower()                 # noqa: E731
    replies = [(f"reply-{label(s)}", ["EVENT=EVENT_REPLY", f"STATE={s}"]) for s in states]
    # To prove all of a standby's at once takes as long as everything else; to refute one property of it does not.
    standby = next(r for r in replies if r[0] == "reply-standby")
    outcomes = [(f"{standby[0]}-{label(o)}", [*standby[1], f"OUTCOME={o}"])
                for o in enumerators("agent/election/record.h", "outcome")]
    slow = [o for o in outcomes if o[0] == "reply-standby-granted"]
    operations = [(f"{name}-{label(o)}", [*defines, f"OPERATION={o}"])
                  for name, defines in slow for o in enumerators("agent/election/record.h", "operation")]
    replies = [*operations, *(o for o in outcomes if o not in slow), *(r for r in replies if r is not standby)]
    # Likewise what PID 1 says: each state by itself.
    hosts = [(f"host-{label(s)}", ["EVENT=EVENT_HOST", f"STATE={s}", "BY_PARTS"]) for s in states]
    others = [(label(e), [f"EVENT={e}"]) for e in events if e not in ("EVENT_REPLY", "EVENT_HOST")]
    begin = ("begin", ["BEGIN"])
    return CbmcProof("member", "the election, one step from anywhere", "member",
                     [*replies, *hosts, *others, begin],
                     [("any step", []), begin], [standby, ("host", ["EVENT=EVENT_HOST"])])


def keeper():
    functions = names_in("tests/proof/rules.c", re.compile(r"^static void (prove_\w+)\(void\)", re.M))
    parts = [(f.removeprefix("prove_").replace("_", "-"), [f"PART={f}"]) for f in functions]
    return CbmcProof("keeper", "the keeper's rules", "rules", parts, parts)
