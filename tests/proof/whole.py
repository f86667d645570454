# SPDX-License-Identifier: Apache-2.0
"""That no two hosts run a group's units at once, by induction over everything that can happen.

The world is one record in one history, method lease, and hosts: of each what its member's account says (member.c), its
keeper, ticket and clock, and what is under way. What a step may do is limited by guards, and each guard has the name of
what stands for it: a property that is proven of the shipped code in this folder, an assumption of docs/safety.md
("assumption N"), or what tests/proof/README.md assumes of daemon and arbiter ("daemon N", "arbiter"). Everything else may be
anything: who asks when, what is lost, late or carried out after it was given up, who crashes.

Any invariant is of one host and the record. `a` is the host that does something, `b` any other: so the number of hosts is
any. Of requests that were given up, and of messages to a keeper, there may be any number: `stray` and `message` are
one of them, whichever. Times of a host are by its own clock, in microseconds, real numbers; with each stands, as
..._true, when that was: no host knows that, only the invariant does."""

from prover.smt import FALSE, TRUE, Things, apply, choose, every, if_so, implies, lift

SLACK = 300000              # BUDGET_SLACK_USEC
RENEW_MIN = 800000          # BUDGET_RENEW_MIN_USEC

STANDBY, CONFIRMING, HOLDING, ENDING, RELEASING = range(5)      # HOLDING: starting, leading or adopting
OBSERVE, CLAIM, RENEW, RELEASE = range(4)
LEADING, STOPPING, KILLED = range(3)

SPANS = {"lease": "Real", "stop": "Real", "duration": "Real"}
# What a keeper has, or may get: a deadline, and with it L, whose K counts.
DEADLINE = {"term": "Int", "deadline": "Real", "lease": "Real"}
# Nonces are fresh (daemon 4), so each write has a number: what has the same nonce is the same write.
# boot: of the owner, who is another after each; 0 is nobody. life: of the agent that claimed. base: when the question of
# the last write was sent, by the owner's clock, and in truth; serial: which of all its questions that was.
RECORD = {"term": "Int", "write": "Int", "host": "Int", "boot": "Int", "life": "Int", **SPANS, "base": "Real",
          "base_true": "Real", "serial": "Int"}
REQUEST = {"kind": "Int", "term": "Int", "expected": "Int", "on_clean": "Bool", "boot": "Int", "life": "Int", **SPANS,
           "base": "Real", "base_true": "Real", "serial": "Int"}
LOOK = {"at": "Real", "taken": "Bool", "dead": "Bool", **DEADLINE, "stop": "Real"}
HOST = {
    "clock": "Real", "life": "Int", "boot": "Int", "serial": "Int",
    "birth": "Int",         # the record's term when this agent began
    # From a keeper's begin until nothing is left: units may run. phase: what was done about it.
    "run": {"active": "Bool", "phase": "Int", "kill": "Real", "killed": "Real", **DEADLINE, "stop": "Real"},
    "ticket": {"there": "Bool", **DEADLINE, "stop": "Real"},
    "message": {"there": "Bool", **DEADLINE},
    # The account of member.c.
    "state": "Int", "term": "Int", "ended": "Int", "ticketed": "Int", "top": "Int",
    # known: what its keeper has, or may get, has no later deadline than covered, and no larger K than kept.
    "until": {**DEADLINE, "stop": "Real", "duration": "Real", "known": "Bool", "covered": "Real", "kept": "Real"},
    "unlink_due": "Bool", "unlinked": "Real",
    "seen": {"known": "Bool", "write": "Int", "lease": "Real", "since": "Real", "since_true": "Real"},
    # The question under way; done: at the arbiter, and the answer is on its way.
    "asked": "Bool", "sent": "Real", "sent_true": "Real", "request": REQUEST,
    "done": "Bool", "granted": "Bool", "read": RECORD,
    "look": {"there": "Bool", **LOOK},
    "stray": {"there": "Bool", **REQUEST},
}
WORLD = {"now": "Real", "row": {**RECORD, "clean": "Bool", "written": "Real"}, "a": HOST, "b": HOST}
# K of a lease. What it is, is the budget's business.
DECLARED = ["(declare-fun kill_of (Real) Real)"]


def kill_of(lease):
    return apply("kill_of", lease)


def greatest(x, y):
    return choose(x > y, x, y)


def deadline_of(thing):
    return {name: getattr(thing, name) for name in DEADLINE}


def one_of(value, values):
    return every([~every([value != v for v in values])])


# ---- what holds in each state ----

def in_budget(s):
    """What budget-promise says of a budget."""
    return ((1000 * (s.duration + SLACK + s.stop + kill_of(s.lease)) <= 998 * s.lease) & (s.duration >= RENEW_MIN) &
            (s.stop > 0) & (kill_of(s.lease) >= 0) & (s.lease > s.duration))


def same_spans(x, y):
    return (x.lease == y.lease) & (x.stop == y.stop) & (x.duration == y.duration)


def passed(w, h, time, true):
    """By its clock as much as in truth, within rho."""
    return ((true <= w.now) & (999 * (w.now - true) <= 1000 * (h.clock - time)) &
            (1000 * (h.clock - time) <= 1001 * (w.now - true)))


def lease_is_over(w):
    """In truth, and by any clock. A record that was never claimed is nobody's to wait for."""
    return (w.row.term == 0) | (1001 * (w.now - w.row.written) >= 1000 * w.row.lease)


def leads(w, h, term):
    """The record says that this host has this term."""
    r = w.row
    return (r.host == h.number) & (r.boot == h.boot) & (r.term == term) & ~r.clean


def owns(w, h):
    return (w.row.host == h.number) & (w.row.boot == h.boot)


def fits(lease, stop, duration, kill):
    return 1000 * (duration + SLACK + stop + kill) <= 998 * lease


def covers(q, stop, d):
    """Does a write with these spans, sent at q.base, cover that?"""
    return ((d.deadline <= q.base + q.duration) & fits(q.lease, stop, q.duration, kill_of(d.lease)) &
            (kill_of(d.lease) >= 0))


def backed(w, h, d):
    """A deadline is covered by the record's last write, if it is the record's term's."""
    return (d.term <= w.row.term) & implies(d.term == w.row.term, owns(w, h) & covers(w.row, w.row.stop, d))


def may_come(h):
    """A message that a keeper would not refuse ("extend-proper"): the one that runs, or that may begin yet."""
    m, r, t = h.message, h.run, h.ticket
    return m.there & ((r.active & (r.term == m.term) & (m.deadline > r.deadline)) | (t.there & (t.term == m.term)))


def given(h):
    """[(is it there, what a keeper has or may get)]"""
    return [(h.run.active, h.run), (h.ticket.there, h.ticket), (may_come(h), h.message)]


def all_given(h, term, formula):
    return every([implies(there & (d.term == term), formula(d)) for there, d in given(h)])


def may_renew(w, h, q):
    """The arbiter could carry it out: it names the record's write, which was sent before it was."""
    return ((q.kind == RENEW) & (w.row.term == q.term) & (w.row.host == h.number) & (w.row.boot == q.boot) &
            (w.row.serial < q.serial))


def good_renewal(w, h, q):
    stop = w.row.stop
    return every([
        fits(q.lease, stop, q.duration, kill_of(q.lease)), kill_of(q.lease) >= 0, q.duration >= RENEW_MIN, q.lease > q.duration,
        implies(q.boot == h.boot, all_given(h, q.term, lambda d: covers(q, stop, d)))])


def given_up(w, h, q):
    """Before the one that is under way, if there is one."""
    return harmless(w, h, q) & implies(h.asked, q.serial < h.request.serial)


def harmless(w, h, q):
    """A request that may be carried out at any time, or never."""
    r, claim, release = w.row, q.kind == CLAIM, q.kind == RELEASE
    return every([
        (q.boot <= h.boot) & (q.life <= h.life),
        q.serial <= h.serial,
        implies(q.boot == h.boot, (q.base <= h.clock) & passed(w, h, q.base, q.base_true) &
                implies(h.asked, q.base <= h.sent)),
        implies(q.kind == RENEW, q.term <= r.term),
        implies(may_renew(w, h, q), good_renewal(w, h, q)),
        implies(claim, in_budget(q)),
        implies(claim & ~q.on_clean, (q.expected <= r.write) & implies(q.expected == r.write, lease_is_over(w))),
        implies(release, q.term <= r.term),
        implies(release & (q.boot == h.boot), choose(q.life == h.life, q.term <= h.ended, q.term <= h.birth) &
                ~(h.run.active & (h.run.term == q.term)) & ~(h.ticket.there & (h.ticket.term == q.term))),
    ])


def granted_fits(w, h):
    """An answer that is on its way."""
    q, v, r = h.request, h.read, w.row
    ours = (r.host == h.number) & (r.boot == h.boot)
    return every([
        v.term <= r.term,
        implies(q.kind == CLAIM, v.term > h.birth),
        implies(q.kind == RENEW, (v.term == q.term) & (v.lease == q.lease) & (v.duration == q.duration)),
        implies(v.term == r.term, ours & same_spans(v, r) & (r.base == h.sent) & (r.serial == h.request.serial)),
        implies((v.term > h.ended) & (v.term > h.birth) & (h.clock < h.sent + v.duration), leads(w, h, v.term)),
    ])


def true_enough(w, h, look):
    """A look, asked for, taken, and maybe answered long after."""
    found, asked_since = look.taken & ~look.dead, (h.state == ENDING) & (look.at > h.unlinked)
    return every([
        look.at <= h.clock,
        implies(found, (look.term <= w.row.term) & (kill_of(look.lease) >= 0) & implies(look.term == w.row.term, look.stop == w.row.stop)),
        # A deadline never goes back, and L does not grow without it.
        implies(found & h.run.active & (h.run.term == look.term), (h.run.deadline >= look.deadline) &
                implies(h.run.deadline == look.deadline, kill_of(h.run.lease) <= kill_of(look.lease))),
        implies(found & h.ticket.there, h.ticket.term != look.term),
        implies(found, (look.term <= h.birth) | (look.term <= h.ticketed)),
        implies(asked_since, ~h.unlink_due & ~h.ticket.there),
        implies(asked_since & look.taken & look.dead, ~h.run.active),
    ])


def record_holds(w, h):
    r = w.row
    return every([
        (r.written <= w.now) & (r.term >= 0),
        implies(r.term == 0, r.host == 0),
        implies(r.term > 0, in_budget(r)),
        implies(r.host == h.number, (r.life <= h.life) & (r.boot <= h.boot) & (r.serial <= h.serial)),
        implies(owns(w, h) & (r.term > 0), (r.base <= h.clock) & passed(w, h, r.base, r.base_true) &
                (r.base_true <= r.written)),
    ])


# name: of a host, for any
INVARIANT = {
    "the-record": record_holds,
    "who-claimed": lambda w, h: (h.boot <= h.life) & (h.birth <= w.row.term) &
        implies((w.row.host == h.number) & (w.row.life == h.life), w.row.term > h.birth),
    "who-runs-is-in-the-record": lambda w, h: implies(h.run.active, leads(w, h, h.run.term)),
    "run-by-a-deadline": lambda w, h: implies(h.run.active, backed(w, h, h.run) & (h.run.stop == w.row.stop)),
    "run-in-time": lambda w, h: implies(h.run.active, every([
        one_of(h.run.phase, [LEADING, STOPPING, KILLED]),
        implies(h.run.phase == LEADING, h.clock <= h.run.deadline + SLACK),
        implies(h.run.phase == STOPPING, (h.clock <= h.run.kill + SLACK) & (h.run.kill <= h.run.deadline + h.run.stop)),
        implies(h.run.phase == KILLED, (h.clock <= h.run.killed + kill_of(h.run.lease)) &
                (h.run.killed <= h.run.deadline + h.run.stop + SLACK))])),
    "ticket-is-in-the-record": lambda w, h: implies(h.ticket.there, every([
        backed(w, h, h.ticket),
        implies(h.ticket.term == w.row.term, h.ticket.stop == w.row.stop),
        implies(h.clock < h.ticket.deadline, leads(w, h, h.ticket.term))])),
    "message-by-a-deadline": lambda w, h: implies(h.message.there, h.message.term <= w.row.term) &
        implies(may_come(h), backed(w, h, h.message)),
    # Of a term of this life, or of an earlier one's.
    "given-out": lambda w, h: every([implies(there, (d.term <= h.birth) | (d.term <= h.ticketed)) for there, d in
                                     [(h.run.active, h.run), (h.ticket.there, h.ticket), (h.message.there, h.message)]]),
    "one-ticket": lambda w, h: ~(h.run.active & h.ticket.there & (h.run.term == h.ticket.term)),
    "term-held": lambda w, h: implies(h.state == HOLDING, every([
        h.until.term == h.term, h.term == h.ticketed, h.term <= w.row.term, h.term > 0,
        (h.until.deadline <= h.until.covered) & (kill_of(h.until.lease) <= h.until.kept), kill_of(h.until.lease) >= 0,
        implies(h.term == w.row.term, h.until.stop == w.row.stop)])),
    "lease-known": lambda w, h: implies((h.state == HOLDING) & h.until.known, every([
        all_given(h, h.term, lambda d: (d.deadline <= h.until.covered) & (kill_of(d.lease) <= h.until.kept))])),
    # Only what is known is renewed; and what was asked covers what is held meanwhile.
    "renewal-under-way": lambda w, h: implies(h.asked & (h.request.kind == RENEW) & (h.state == HOLDING) &
                                              (h.request.term == h.term) & (h.term == w.row.term), every([
        h.until.known, (h.until.deadline <= h.request.base + h.request.duration),
        fits(h.request.lease, w.row.stop, h.request.duration, kill_of(h.until.lease))])),
    "term-to-confirm": lambda w, h: implies(h.state == CONFIRMING, every([
        (h.term > h.birth) & (h.term <= w.row.term) & (h.term > h.ticketed),
        fits(h.until.lease, h.until.stop, h.until.duration, kill_of(h.until.lease)), kill_of(h.until.lease) >= 0,
        (h.until.duration >= RENEW_MIN) & (h.until.lease > h.until.duration),
        implies(h.term == w.row.term, h.until.stop == w.row.stop)])),
    "ticketed-is-over": lambda w, h: (h.state == HOLDING) | (h.ticketed <= h.ended),
    "ending": lambda w, h: implies(h.state == ENDING, every([
        ~h.ticket.there | h.unlink_due, h.term <= h.ended])),
    "releasing": lambda w, h: implies(h.state == RELEASING,
                                      ~h.ticket.there & ~h.run.active & ~h.unlink_due & (h.term <= h.ended)),
    "terms-known": lambda w, h: every([one_of(h.state, range(5)), h.unlinked <= h.clock,
                                       h.ended >= 0, *(t <= w.row.term for t in (h.ended, h.ticketed, h.top))]),
    "observation": lambda w, h: implies(h.seen.known, every([
        h.seen.write <= w.row.write, passed(w, h, h.seen.since, h.seen.since_true),
        implies(h.seen.write == w.row.write, (w.row.written <= h.seen.since_true) & (h.seen.lease == w.row.lease))])),
    "question": lambda w, h: implies(h.asked, every([
        passed(w, h, h.sent, h.sent_true), one_of(h.request.kind, range(4)), h.sent <= h.clock,
        (h.request.life == h.life) & (h.request.boot == h.boot),
        (h.request.base == h.sent) & (h.request.base_true == h.sent_true) & (h.request.serial <= h.serial),
        implies(owns(w, h), w.row.base <= h.sent),
        implies(~h.done, harmless(w, h, h.request)),
        implies(h.request.kind == RENEW, implies(h.request.term > h.ticketed, h.request.term > h.birth))])),
    "answer": lambda w, h: implies(h.asked & h.done, every([
        (h.read.write <= w.row.write) & (h.read.term <= w.row.term),
        implies(h.read.write == w.row.write, h.read.lease == w.row.lease),
        implies(h.read.term > 0, in_budget(h.read)),
        implies(h.read.term == w.row.term, h.read.stop == w.row.stop),
        # What it read covers all that was sent, as counted from its question.
        implies((h.read.host == h.number) & (h.read.boot == h.boot), all_given(h, h.read.term, lambda d:
                (d.deadline <= h.sent + h.read.duration) &
                fits(h.read.lease, h.read.stop, h.read.duration, kill_of(d.lease)))),
        implies((h.read.host == h.number) & (h.read.life == h.life), h.read.term > h.birth),
        implies(h.granted & one_of(h.request.kind, [CLAIM, RENEW]), granted_fits(w, h))])),
    "look-is-true": lambda w, h: implies(h.look.there, true_enough(w, h, h.look)),
    "stray-is-harmless": lambda w, h: implies(h.stray.there, given_up(w, h, h.stray)),
}


def one_at_a_time(w):
    return ~(w.a.run.active & w.b.run.active)


def begins(w, h):
    """Before the first agent: nothing runs, nothing is known, the record is nobody's."""
    return every([w.row.term == 0, w.row.host == 0, w.row.written <= w.now, h.boot == 1, h.life == 1, h.birth == 0,
                  w.row.boot == 0, ~h.run.active, ~h.ticket.there, ~h.message.there, ~h.stray.there, *new_agent(h, h.clock)])


def new_agent(h, clock):
    return [h.state == STANDBY, h.ended == 0, h.ticketed == 0, h.top == 0, ~h.seen.known, ~h.asked, ~h.done, ~h.look.there,
            ~h.unlink_due, h.unlinked <= clock]


# ---- what can happen ----

class Step:
    """One of them. w: the world before, n: after; a guard holds, but for the break of this name."""

    def __init__(self, w, names, broken=None):
        self.w, self.n, self.names, self.broken = w, w.later(), names, broken
        self.holds, self.sources, self.breaks = [], [], []

    def guard(self, source, formula, **breaks):
        """breaks: name, with _ for -, and what holds instead."""
        self.sources.append(source)
        breaks = {name.replace("_", "-"): instead for name, instead in breaks.items()}
        self.breaks += breaks
        self.holds.append(breaks.get(self.broken, formula))

    def case(self, formula):
        """What this step is about: there are others for whatever else."""
        self.holds.append(formula)

    def any(self, sort):
        return self.names.any(sort)


def ask(s, kind):
    """daemon 1: the time is read before the question is sent."""
    w, h = s.w, s.n.a
    s.guard("one-question-at-a-time", ~w.a.asked)
    h.asked, h.done, h.sent, h.sent_true, h.serial = TRUE, FALSE, w.a.clock, w.now, w.a.serial + 1
    h.request = s.names.things(REQUEST)
    s.case((h.request.kind == kind) & (h.request.life == h.life) & (h.request.boot == h.boot) &
           (h.request.base == h.sent) & (h.request.base_true == h.sent_true) & (h.request.serial == h.serial))
    return h.request


def ask_to_observe(s):
    ask(s, OBSERVE)


def ask_to_claim(s):
    q, h = ask(s, CLAIM), s.w.a
    lease = choose(h.seen.lease > RENEW_MIN, h.seen.lease, s.any("Real"))
    s.guard("claim-by-its-own-budget, budget-promise", in_budget(q), budget_without_rates=
            (1000 * (q.duration + SLACK + q.stop + kill_of(q.lease)) <= 1000 * q.lease) & (q.duration >= RENEW_MIN) &
            (q.stop > 0) & (kill_of(q.lease) >= 0) & (q.lease > q.duration),
            budget_without_kill=(1000 * (q.duration + SLACK + q.stop) <= 998 * q.lease) & (q.duration >= RENEW_MIN) &
            (q.stop > 0) & (kill_of(q.lease) >= 0) & (q.lease > q.duration))
    s.guard("claim-of-what-was-read", q.on_clean | (h.seen.known & (q.expected == h.seen.write)),
            claim_of_what_was_not_read=q.on_clean | h.seen.known)
    s.guard("claim-after-a-full-lease", q.on_clean | (h.clock - h.seen.since >= lease),
            claim_after_half_a_lease=q.on_clean | (2 * (h.clock - h.seen.since) >= lease))


def ask_to_renew(s):
    q, h = ask(s, RENEW), s.w.a
    u, held = h.until, h.state == HOLDING
    s.guard("renew-only-the-held-term", one_of(h.state, [CONFIRMING, HOLDING]) & (q.term == h.term),
            renewed_whatever_it_is=one_of(h.state, [CONFIRMING, HOLDING]))
    s.guard("renew-only-what-was-read, adopt-without-a-ticket", ~held | u.known, renewed_unread=TRUE)
    s.guard("renew-covers-the-keeper", ~held | (q.duration >= u.covered - q.base), renewed_shorter_at_once=TRUE)
    s.guard("renew-covers-the-keeper, covering-promise",
            ~held | (fits(q.lease, u.stop, q.duration, u.kept) & fits(q.lease, u.stop, q.duration, kill_of(q.lease)) &
                      (kill_of(q.lease) >= 0)),
            renewed_without_the_keepers_k=~held | fits(q.lease, u.stop, q.duration, kill_of(q.lease)))
    s.guard("renew-not-below-the-smallest-d, covering-promise", ~held | ((q.duration >= RENEW_MIN) & (q.lease > q.duration)))
    s.guard("confirms-with-the-claims-lease", held | ((q.duration == u.duration) & (q.lease == u.lease)),
            confirmed_with_another_lease=TRUE)


def ask_to_release(s):
    q, h = ask(s, RELEASE), s.w.a
    s.guard("release-only-the-ended-term", (h.state == RELEASING) & (q.term == h.term),
            released_while_ending=one_of(h.state, [ENDING, RELEASING]) & (q.term == h.term),
            released_whatever_it_is=(h.state == RELEASING) & (q.term <= s.w.row.term))


# The arbiter's work, for the request under way, or for one that was given up.

def write(s, q, **changes):
    w = s.w
    s.n.row = w.row.later(write=w.row.write + 1, written=w.now, base=q.base, base_true=q.base_true, serial=q.serial,
                          lease=q.lease, duration=q.duration, **changes)


def carry_out_claim(s, q):
    w, term = s.w, s.any("Int")
    s.guard("arbiter", q.expected == w.row.write, claim_ignores_nonce=TRUE)
    s.guard("arbiter", w.row.clean | ~q.on_clean, clean_untested=TRUE)
    s.guard("arbiter", term > w.row.term, term_not_raised=term >= w.row.term)
    write(s, q, term=term, host=w.a.number, boot=q.boot, life=q.life, clean=False, stop=q.stop)


def is_its_own(s, q):
    return (s.w.row.term == q.term) & (s.w.row.host == s.w.a.number) & (s.w.row.boot == q.boot) & ~s.w.row.clean


def carry_out_renewal(s, q):
    s.guard("arbiter", is_its_own(s, q), renews_anybodys=~s.w.row.clean, renews_what_is_clean=
            (s.w.row.term == q.term) & (s.w.row.host == s.w.a.number) & (s.w.row.boot == q.boot))
    # Whatever it names was written by a question that was sent before it.
    s.guard("arbiter, renew-names-what-may-be-there", s.w.row.serial < q.serial, renews_by_any_nonce=TRUE)
    write(s, q)


def carry_out_release(s, q):
    s.guard("arbiter", is_its_own(s, q), release_ignores_term=(s.w.row.host == s.w.a.number) & (s.w.row.boot == q.boot))
    s.n.row.clean = TRUE


def read_row(s):
    s.n.a.read = Things(**{name: getattr(s.n.row, name) for name in RECORD})


def carried_out(s, kind, how):
    h = s.n.a
    s.guard("daemon 5", s.w.a.asked & ~s.w.a.done)
    s.case(h.request.kind == kind)
    how(s, h.request)
    h.done, h.granted = TRUE, TRUE
    read_row(s)


def carried_out_late(s, kind, how):
    q = s.names.things(REQUEST)
    s.case((q.kind == kind) & given_up(s.w, s.w.a, q))
    how(s, q)


def observed(s):
    carried_out(s, OBSERVE, lambda *_: None)


def claimed(s):
    carried_out(s, CLAIM, carry_out_claim)


def claimed_late(s):
    carried_out_late(s, CLAIM, carry_out_claim)


def renewed(s):
    carried_out(s, RENEW, carry_out_renewal)


def renewed_late(s):
    carried_out_late(s, RENEW, carry_out_renewal)


def released(s):
    carried_out(s, RELEASE, carry_out_release)


def released_late(s):
    carried_out_late(s, RELEASE, carry_out_release)


def refused(s):
    h = s.n.a
    s.guard("daemon 5", s.w.a.asked & ~s.w.a.done)
    h.done, h.granted = TRUE, FALSE
    read_row(s)


def give_up_question(s, h):
    """What is not carried out yet, may be any time from now on."""
    q = s.w.a.request
    late = Things(there=~s.w.a.done, **vars(q))
    h.stray = if_so(s.w.a.asked & s.any("Bool"), late, s.w.a.stray)
    h.asked = FALSE


def reply_is_lost(s):
    """Or comes too late: it moves nothing."""
    s.case(s.w.a.asked)
    give_up_question(s, s.n.a)


# The member's steps.

def take_reply(s):
    """Whatever it says, it was read: the account keeps since when it has been the same."""
    w, h = s.w.a, s.n.a
    s.guard("daemon 5", w.asked & w.done)
    same = w.seen.known & (w.seen.write == w.read.write)
    since, true = s.any("Real"), s.any("Real")
    again = (since == w.clock) & (true == s.w.now)
    kept = (since == w.seen.since) & (true == w.seen.since_true)
    s.guard("invariant-observation", again | (same & kept), observation_kept=again | (w.seen.known & kept))
    h.seen = Things(known=s.any("Bool"), write=w.read.write, lease=w.read.lease, since=since, since_true=true)
    h.top = greatest(w.read.term, w.top)
    h.asked = FALSE


def reply_is_read(s):
    take_reply(s)


def reply_makes_known(s):
    """What an earlier life may have sent is covered by what it wrote last."""
    take_reply(s)
    w, h, u = s.w.a, s.n.a, s.w.a.until
    s.case((w.state == HOLDING) & ~u.known)
    s.guard("what-is-not-known-is-read, only-own-nonces-count",
            (w.read.host == w.number) & (w.read.boot == w.boot) & (w.read.term == w.term))
    covered, kept = s.any("Real"), s.any("Real")
    s.guard("invariant-term", (covered >= u.covered) & (covered >= w.sent + w.read.duration),
            earlier_deadlines_forgotten=covered >= u.covered)
    s.guard("invariant-term, room", (kept >= u.kept) & (1000 * (w.read.duration + SLACK + w.read.stop + kept) >=
                                                        998 * w.read.lease), earlier_leases_forgotten=kept >= u.kept)
    h.until = u.later(known=True, covered=covered, kept=kept)


def reply_makes_confirm(s):
    """Its own claim, of unknown outcome: nobody but this agent knows the nonce that it wrote."""
    take_reply(s)
    w, h = s.w.a, s.n.a
    ours = (w.read.host == w.number) & (w.read.boot == w.boot)
    s.guard("confirm-only-its-own-claim", ours & (w.read.life == w.life), adopted_by_reading=ours)
    s.guard("over-is-over", w.read.term > w.ended)
    s.guard("end-is-the-only-way-out, ending-until-proof, releasing-ends-by-an-answer", w.state == STANDBY)
    h.state, h.term = lift(CONFIRMING), w.read.term
    h.until = w.until.later(term=w.read.term, lease=w.read.lease, stop=w.read.stop, duration=w.read.duration)


def reply_makes_ticket(s):
    take_reply(s)
    w, h = s.w.a, s.n.a
    base, spans = s.any("Real"), s.names.things(SPANS)
    s.guard("ticket-only-when-granted", w.granted & one_of(w.request.kind, [CLAIM, RENEW]),
            ticket_by_any_answer=one_of(w.request.kind, [CLAIM, RENEW]))
    s.guard("ticket-once-for-a-term", (w.read.term > w.ended) & (w.read.term > w.ticketed),
            ticket_of_an_ended_term=w.read.term > w.ticketed)
    s.guard("ticket-counts-from-the-send", base == w.sent, ticket_counts_from_the_reply=base == w.clock)
    # To STARTING no way leads from there.
    s.guard("ticket-stands-alone, releasing-ends-by-an-answer, ending-until-proof",
            one_of(w.state, [STANDBY, CONFIRMING, HOLDING]))
    s.guard("ticket-as-granted", same_spans(spans, w.read), ticket_of_another_budget=TRUE)
    new = {"term": w.read.term, "deadline": base + spans.duration, "lease": spans.lease, "stop": spans.stop}
    h.ticket = Things(there=TRUE, **new)
    h.until = Things(duration=spans.duration, known=TRUE, covered=base + spans.duration, kept=kill_of(spans.lease), **new)
    h.state, h.term, h.ticketed = lift(HOLDING), w.read.term, w.read.term
    h.top = greatest(w.read.term, w.top)


def reply_extends(s):
    """By the lease that was granted; or by the one before it, where a longer one has to wait."""
    take_reply(s)
    w, h, u = s.w.a, s.n.a, s.w.a.until
    deadline, lease = s.any("Real"), s.any("Real")
    s.guard("extend-only-when-renewed", w.granted & (w.request.kind == RENEW) & (w.request.term == w.term),
            unknown_renewal_believed=(w.request.kind == RENEW) & (w.request.term == w.term))
    s.guard("extend-counts-from-the-send", (deadline >= u.deadline) &
            ((deadline <= u.deadline) | (deadline <= w.sent + w.read.duration)),
            extend_counts_from_the_reply=(deadline >= u.deadline) & (deadline <= w.clock + w.read.duration),
            extend_by_any_d=deadline >= u.deadline)
    s.guard("extend-says-what-was-granted, budget-kill", one_of(lease, [w.read.lease, u.lease]) |
            ((lease < w.read.lease) & (kill_of(lease) >= 0) & (kill_of(lease) <= kill_of(w.read.lease))),
            extend_says_any_lease=TRUE)
    s.guard("extend-stands-alone, leads-only-by-grant-or-look", w.state == HOLDING)
    kept = greatest(u.kept, kill_of(lease))
    h.until = u.later(deadline=deadline, lease=lease, covered=greatest(u.covered, deadline), kept=kept)
    sent = Things(there=TRUE, **deadline_of(h.until))
    h.message = if_so(s.any("Bool"), sent, w.message)


def term_ends(s):
    """For any reason. The order to unlink is carried out later, but before the next event (daemon 3)."""
    w, h, term = s.w.a, s.n.a, s.any("Int")
    s.guard("end-of-a-term-that-was-known", term <= w.top, end_of_any_term=TRUE)
    s.guard("end-is-whole, releasing-ends-by-an-answer", ~one_of(w.state, [ENDING, RELEASING]))
    s.guard("end-is-the-only-way-out", (w.state != HOLDING) | (term == w.term))
    h.state, h.term, h.unlink_due, h.unlinked = lift(ENDING), term, TRUE, w.clock
    h.ended = greatest(term, w.ended)


def ticket_is_unlinked(s):
    s.case(s.w.a.unlink_due)
    s.n.a.unlink_due = s.n.a.ticket.there = FALSE


def claim_is_given_up(s):
    """Denied, before anything began."""
    w, h = s.w.a, s.n.a
    s.case(w.state == CONFIRMING)
    h.state, h.ended = lift(STANDBY), greatest(w.term, w.ended)


def observation_is_forgotten(s):
    """restarted-observes-again, and whenever it may not be trusted."""
    s.n.a.seen.known = FALSE


def look_is_asked(s):
    w, h = s.w.a, s.n.a
    s.guard("daemon 3", ~w.unlink_due, looked_before_it_was_unlinked=TRUE)
    new = s.names.things(HOST["look"]).later(there=True, at=w.clock, taken=False)
    h.look = if_so(s.any("Bool"), new, w.look)


def look_is_taken(s):
    """What it says was true at some time after it was asked."""
    w, h = s.w.a, s.n.a
    s.case(w.look.there)
    dead = s.any("Bool")
    s.guard("daemon 2", dead == ~w.run.active, proof_invented=TRUE)
    h.look = Things(there=TRUE, at=w.look.at, taken=TRUE, dead=dead, stop=w.run.stop, **deadline_of(w.run))


def any_look(s):
    look = s.names.things(LOOK)
    s.case(look.taken & true_enough(s.w, s.w.a, look))
    return look


def look_proves(s):
    look, w, h = any_look(s), s.w.a, s.n.a
    s.case(w.state == ENDING)
    s.guard("ending-until-proof, releasing-only-after-ending", look.dead & (look.at > w.unlinked),
            proof_from_before=look.dead, release_without_proof=look.at > w.unlinked)
    h.state = choose(s.any("Bool"), RELEASING, STANDBY)


def look_adopts(s):
    """A deadline that is at most D ahead is adopted as it is: so is the look's, as what a look says was true (daemon 2)."""
    look, w, h = any_look(s), s.w.a, s.n.a
    s.guard("adopt-only-its-own-live-keeper", (w.state == STANDBY) & ~look.dead & (look.term > w.ended),
            adopted_what_is_dead=(w.state == STANDBY) & (look.term > w.ended))
    h.state, h.term = lift(HOLDING), look.term
    h.ticketed, h.top = greatest(look.term, w.ticketed), greatest(look.term, w.top)
    h.until = Things(stop=look.stop, duration=s.any("Real"), known=FALSE, covered=look.deadline,
                     kept=kill_of(look.lease), **deadline_of(look))


def look_shows_the_lease(s):
    """Nothing that was sent is later than the deadline that it shows, so its keeper gets no other lease any more."""
    look, w, h = any_look(s), s.w.a, s.n.a
    s.case((w.state == HOLDING) & w.until.known & ~look.dead)
    s.guard("invariant-term", (look.term == w.term) & (look.deadline == w.until.covered) & (look.lease == w.until.lease),
            any_look_shows_the_lease=(look.term == w.term) & (look.lease == w.until.lease))
    h.until.kept = kill_of(look.lease)


def look_is_read(s):
    look, w, h = any_look(s), s.w.a, s.n.a
    s.case(~look.dead)
    h.top = greatest(look.term, w.top)


def release_is_over(s):
    s.case(s.w.a.state == RELEASING)
    s.guard("one-question-at-a-time", ~s.w.a.asked)
    s.n.a.state = lift(STANDBY)


# The keeper, and what runs by it.

def keeper_begins(s):
    """Also of one that somebody starts by hand, also when units of an earlier one are left: the later deadline counts."""
    w, h = s.w.a, s.n.a
    new = s.names.things(HOST["run"])
    s.case(w.ticket.there & new.active & (new.phase == LEADING))
    s.guard("ticket-in-time", w.clock < w.ticket.deadline, ticket_believed_late=TRUE)
    s.guard("keeper-begins-by-the-ticket", every([
        new.stop == w.ticket.stop, *(getattr(new, name) == value for name, value in deadline_of(w.ticket).items())]),
        keeper_adds_grace=(new.stop == w.ticket.stop) & (new.term == w.ticket.term) & (new.lease == w.ticket.lease) &
        (new.deadline == w.ticket.deadline + SLACK))
    h.run = if_so(w.run.active & (w.run.deadline > w.ticket.deadline), w.run.later(phase=LEADING), new)
    # It takes the ticket away before it begins.
    h.ticket.there = FALSE


def extension_arrives(s):
    """The newest, an old one, one that came twice."""
    w, h = s.w.a, s.n.a
    m, deadline, lease = w.message, s.any("Real"), s.any("Real")
    s.case(w.run.active & m.there)
    s.guard("extend-proper, keeper-ends-for-good", w.run.phase == LEADING)
    s.guard("extend-proper", m.term == w.run.term, extended_by_any_term=TRUE)
    s.guard("extend-proper", (deadline == m.deadline) & (lease == m.lease), keeper_adds_to_an_extension=
            (deadline == m.deadline + SLACK) & (lease == m.lease), keeper_takes_any_lease=deadline == m.deadline)
    s.guard("keeper-deadline-never-back, keeper-spans-only-by-extension, budget-kill", (deadline > w.run.deadline) |
            ((deadline == w.run.deadline) & (kill_of(lease) <= kill_of(w.run.lease)) & (kill_of(lease) >= 0)), keeper_deadline_goes_back=TRUE)
    h.run.deadline, h.run.lease = deadline, lease


def keeper_ends(s):
    """Asked to, at its deadline, killed, frozen: another part goes on, and keeps the same bound."""
    w, h, kill = s.w.a, s.n.a, s.any("Real")
    s.case(w.run.active & (w.run.phase == LEADING))
    # At the latest; it may be done before.
    s.guard("kill-by-deadline-and-s, fence-kills-by-deadline-and-s", kill == w.run.deadline + w.run.stop,
            kill_from_the_end=kill == w.clock + w.run.stop)
    h.run.phase, h.run.kill = lift(STOPPING), kill


def units_are_killed(s):
    w, h = s.w.a, s.n.a
    s.case(w.run.active & (w.run.phase == STOPPING))
    h.run.phase, h.run.killed = lift(KILLED), w.clock


def all_is_gone(s):
    s.n.a.run.active = FALSE


# Everything else.

def agent_is_new(s, **changes):
    w, h = s.w.a, s.n.a
    give_up_question(s, h)
    s.n.a = h.later(life=w.life + 1, birth=s.w.row.term, state=STANDBY, ended=0, ticketed=0, top=0, done=FALSE,
                    unlink_due=FALSE, **changes)
    s.n.a.seen.known = s.n.a.look.there = FALSE
    s.n.a.unlinked = s.any("Real")
    s.case(s.n.a.unlinked <= s.n.a.clock)


def agent_crashes(s):
    """At any time, also between what it decided and what it did; another one begins, now or later."""
    agent_is_new(s)


def host_restarts(s):
    """Its clock begins again, its owner is another, and nothing but what was asked of the arbiter is left."""
    agent_is_new(s, clock=s.any("Real"), boot=s.w.a.life + 1)
    s.n.a.run.active = s.n.a.ticket.there = s.n.a.message.there = FALSE


def time_passes(s):
    w, n, span = s.w, s.n, s.any("Real")
    s.case(span >= 0)
    n.now = w.now + span
    for old, h in ((w.a, n.a), (w.b, n.b)):
        h.clock = s.any("Real")
        went = 1000 * (h.clock - old.clock)
        s.guard("assumption 1", (999 * span <= went) & (went <= 1001 * span),
                clock_at_double_rate=(999 * span <= went) & (went <= 2000 * span),
                clock_at_half_rate=(500 * span <= went) & (went <= 1001 * span))
        run, phase = old.run, old.run.phase
        s.guard("assumption 2, deadline-ends-it, wakes-by-deadline, watchdog-within-slack",
                implies(run.active & (phase == LEADING), h.clock <= run.deadline + SLACK), nobody_ends_it=TRUE)
        s.guard("assumption 2, kill-due-in-time, wakes-by-kill",
                implies(run.active & (phase == STOPPING), h.clock <= run.kill + SLACK), never_kills=TRUE)
        s.guard("assumption 3", implies(run.active & (phase == KILLED), h.clock <= run.killed + kill_of(run.lease)),
                unkillable=TRUE)


GROUPS = {
    "questions": [ask_to_observe, ask_to_claim, ask_to_renew, ask_to_release],
    "arbiter": [observed, claimed, claimed_late, renewed, renewed_late, released, released_late, refused],
    "replies": [reply_is_lost, reply_is_read, reply_makes_known, reply_makes_confirm, reply_makes_ticket, reply_extends],
    "ends": [term_ends, ticket_is_unlinked, claim_is_given_up, observation_is_forgotten, release_is_over],
    "looks": [look_is_asked, look_is_taken, look_proves, look_adopts, look_shows_the_lease, look_is_read],
    "keeper": [keeper_begins, extension_arrives, keeper_ends, units_are_killed, all_is_gone],
    "hosts": [agent_crashes, host_restarts, time_passes],
}
STEPS = {f.__name__.replace("_", "-"): f for steps in GROUPS.values() for f in steps}


def any_world(names):
    w = names.things(WORLD)
    w.a.number, w.b.number = lift(1), lift(2)
    return w


# ---- what must be possible: runs from the beginning, after which the second host has it ----

READS = "ask-to-observe observed reply-is-read"
LEADS = "ask-to-claim claimed reply-makes-ticket keeper-begins"
LED = f"{READS} time-passes {READS} {LEADS} time-passes ask-to-renew renewed reply-extends extension-arrives"
RUNS = {
    "another-follows-who-is-gone":
        [("a", LED), ("b", READS), ("a", "time-passes keeper-ends time-passes units-are-killed time-passes all-is-gone"),
         ("b", f"time-passes {READS} {LEADS}")],
    "another-follows-who-gave-it-back":
        [("a", f"{LED} term-ends ticket-is-unlinked keeper-ends all-is-gone time-passes look-is-asked look-is-taken "
               "look-proves ask-to-release released"), ("b", f"{READS} {LEADS}")],
    "another-follows-who-crashed":
        [("a", f"{LED} agent-crashes"), ("b", READS), ("a", "host-restarts"), ("b", f"time-passes {READS} {LEADS}")],
}


# ---- deliberate breaks of guards: what of the invariant fails, and nothing else ----

BREAKS = {
    "budget-without-rates": "question",
    "budget-without-kill": "question",
    "claim-of-what-was-not-read": "question",
    "claim-after-half-a-lease": "question",
    "renewed-whatever-it-is": "question",
    "renewed-unread": "renewal-under-way question",
    "renewed-shorter-at-once": "renewal-under-way question",
    "renewed-without-the-keepers-k": "renewal-under-way question",
    "confirmed-with-another-lease": "question",
    "released-while-ending": "question",
    "released-whatever-it-is": "question",
    "claim-ignores-nonce": "who-runs-is-in-the-record run-by-a-deadline ticket-is-in-the-record answer",
    "clean-untested": "who-runs-is-in-the-record run-by-a-deadline ticket-is-in-the-record answer",
    "term-not-raised": "the-record who-claimed ticket-is-in-the-record message-by-a-deadline term-held "
        "renewal-under-way term-to-confirm question answer look-is-true stray-is-harmless",
    "renews-anybodys": "the-record run-by-a-deadline ticket-is-in-the-record message-by-a-deadline question answer",
    "renews-what-is-clean": "answer",
    "renews-by-any-nonce": "the-record run-by-a-deadline ticket-is-in-the-record message-by-a-deadline question "
        "answer stray-is-harmless",
    "release-ignores-term": "who-runs-is-in-the-record ticket-is-in-the-record answer",
    "observation-kept": "observation",
    "earlier-deadlines-forgotten": "lease-known",
    "earlier-leases-forgotten": "lease-known",
    "adopted-by-reading": "term-to-confirm",
    "ticket-by-any-answer": "ticket-is-in-the-record message-by-a-deadline one-ticket lease-known look-is-true "
        "stray-is-harmless",
    "ticket-of-an-ended-term": "ticket-is-in-the-record term-held stray-is-harmless",
    "ticket-counts-from-the-reply": "ticket-is-in-the-record",
    "ticket-of-another-budget": "ticket-is-in-the-record term-held",
    "unknown-renewal-believed": "message-by-a-deadline term-held stray-is-harmless",
    "extend-counts-from-the-reply": "message-by-a-deadline",
    "extend-by-any-d": "message-by-a-deadline",
    "extend-says-any-lease": "message-by-a-deadline term-held",
    "end-of-any-term": "terms-known",
    "looked-before-it-was-unlinked": "look-is-true",
    "proof-invented": "look-is-true",
    "proof-from-before": "releasing",
    "release-without-proof": "releasing",
    "adopted-what-is-dead": "term-held renewal-under-way terms-known",
    "any-look-shows-the-lease": "lease-known",
    "ticket-believed-late": "who-runs-is-in-the-record run-by-a-deadline run-in-time",
    "keeper-adds-grace": "run-by-a-deadline lease-known question answer stray-is-harmless",
    "extended-by-any-term": "run-by-a-deadline lease-known question answer stray-is-harmless",
    "keeper-adds-to-an-extension": "run-by-a-deadline lease-known question answer stray-is-harmless",
    "keeper-takes-any-lease": "run-by-a-deadline lease-known question answer stray-is-harmless",
    "keeper-deadline-goes-back": "run-by-a-deadline run-in-time lease-known question answer look-is-true "
        "stray-is-harmless",
    "kill-from-the-end": "run-in-time",
    "clock-at-double-rate": "the-record observation question stray-is-harmless",
    "clock-at-half-rate": "the-record observation question stray-is-harmless",
    "nobody-ends-it": "run-in-time",
    "never-kills": "run-in-time",
    "unkillable": "run-in-time",
}
