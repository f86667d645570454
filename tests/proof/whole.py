# SPDX-License-Identifier: Apache-2.0
"""That no two hosts run a group's units at once, by induction over everything that can happen.

The world is one record in one history, method lease, and hosts: of each what its member's account says (member.c), its
keeper, ticket and clock, and what is under way. What a step may do is limited by guards, and each guard bears the name of
what stands for it: a property that is proven of the shipped code in this folder, an assumption of agent/SAFETY.md
("assumption N"), or what tests/proof/README.md assumes of daemon and arbiter ("daemon N", "arbiter"). Everything else may be
anything: who asks when, what is lost, late or carried out after it was given up, who crashes.

Any invariant is of one host and the record. `a` is the host that does something, `b` any other: so the number of hosts is
any. Of requests that were given up, and of messages to a keeper, there may be any number: `stray` and `message` are
one of them, whichever. Times of a host are by its own clock, in microseconds, real numbers; with each stands, as
..._true, when that was: no host knows that, only the invariant does."""

from prover.smt import FALSE, TRUE, Names, Things, choose, every, if_so, implies

SLACK = 300000              # BUDGET_SLACK_USEC
RENEW_MIN = 800000          # BUDGET_RENEW_MIN_USEC

STANDBY, CONFIRMING, HOLDING, ENDING, RELEASING = range(5)      # HOLDING: starting, leading or adopting
OBSERVE, CLAIM, RENEW, RELEASE = range(4)
LEADING, STOPPING, KILLED = range(3)

SPANS = {"lease": "Real", "stop": "Real", "duration": "Real"}
# A deadline counts from a time, and that was at some true time.
DEADLINE = {"term": "Int", "deadline": "Real", "base": "Real", "base_true": "Real"}
# Nonces are fresh (daemon 4), so each write has a number: what bears the same nonce is the same write.
# boot: of the owner, who is another after each; 0 is nobody. life: of the agent that claimed.
RECORD = {"term": "Int", "write": "Int", "host": "Int", "boot": "Int", "life": "Int", **SPANS}
REQUEST = {"kind": "Int", "term": "Int", "expected": "Int", "on_clean": "Bool", "boot": "Int", "life": "Int", **SPANS}
HOST = {
    "clock": "Real", "life": "Int", "boot": "Int",
    "birth": "Int",         # the record's term when this agent began
    # From a keeper's begin until nothing is left: units may run. phase: what was done about it.
    "run": {"active": "Bool", "phase": "Int", "kill": "Real", "killed": "Real", **DEADLINE, **SPANS},
    "ticket": {"there": "Bool", **DEADLINE, **SPANS},
    "message": {"there": "Bool", **DEADLINE},
    # The account of member.c.
    "state": "Int", "term": "Int", "ended": "Int", "ticketed": "Int", "top": "Int",
    "until": {**DEADLINE, "duration": "Real"},
    "unlink_due": "Bool", "unlinked": "Real",
    "seen": {"known": "Bool", "write": "Int", "lease": "Real", "since": "Real", "since_true": "Real"},
    # The question under way; done: at the arbiter, and the answer is on its way.
    "asked": "Bool", "sent": "Real", "sent_true": "Real", "request": REQUEST,
    "done": "Bool", "granted": "Bool", "read": RECORD,
    "look": {"there": "Bool", "at": "Real", "taken": "Bool", "dead": "Bool", **DEADLINE, "duration": "Real"},
    "stray": {"there": "Bool", **REQUEST},
}
WORLD = {"now": "Real", "row": {**RECORD, "clean": "Bool", "written": "Real"}, "a": HOST, "b": HOST}
# K of a lease. What it is, is the budget's business.
DECLARED = ["(declare-fun kill_of (Real) Real)"]


def kill_of(lease):
    return type(lease)(f"(kill_of {lease.text})")


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


def backed(w, h, d):
    """A deadline is that of a question before the record's last write, if it is the record's term's."""
    return (passed(w, h, d.base, d.base_true) & (d.term <= w.row.term) &
            implies(d.term == w.row.term, (d.base_true <= w.row.written) & (d.deadline - d.base <= w.row.duration)))


def harmless(w, h, q):
    """A request that may be carried out at any time, or never."""
    r, claim, release = w.row, q.kind == CLAIM, q.kind == RELEASE
    return every([
        (q.boot <= h.boot) & (q.life <= h.life),
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
        implies(q.kind == RENEW, v.term == q.term),
        implies(v.term == r.term, ours & same_spans(v, r) & (h.sent_true <= r.written)),
        implies((v.term > h.ended) & (v.term > h.birth) & (h.clock < h.sent + v.duration), leads(w, h, v.term)),
    ])


def record_holds(w, h):
    r = w.row
    return every([
        (r.written <= w.now) & (r.term >= 0),
        implies(r.term == 0, r.host == 0),
        implies(r.term > 0, in_budget(r)),
        implies(r.host == h.number, (r.life <= h.life) & (r.boot <= h.boot)),
    ])


# name: of a host, for any
INVARIANT = {
    "the-record": record_holds,
    "who-claimed": lambda w, h: (h.boot <= h.life) & (h.birth <= w.row.term) &
        implies((w.row.host == h.number) & (w.row.life == h.life), w.row.term > h.birth),
    "who-runs-is-in-the-record": lambda w, h: implies(h.run.active, leads(w, h, h.run.term)),
    "run-by-a-deadline": lambda w, h: implies(h.run.active, backed(w, h, h.run) & same_spans(h.run, w.row)),
    "run-in-time": lambda w, h: implies(h.run.active, every([
        one_of(h.run.phase, [LEADING, STOPPING, KILLED]),
        implies(h.run.phase == LEADING, h.clock <= h.run.deadline + SLACK),
        implies(h.run.phase == STOPPING, (h.clock <= h.run.kill + SLACK) & (h.run.kill <= h.run.deadline + h.run.stop)),
        implies(h.run.phase == KILLED, (h.clock <= h.run.killed + kill_of(h.run.lease)) &
                (h.run.killed <= h.run.deadline + h.run.stop + SLACK))])),
    "ticket-is-in-the-record": lambda w, h: implies(h.ticket.there, every([
        backed(w, h, h.ticket),
        implies(h.ticket.term == w.row.term, same_spans(h.ticket, w.row)),
        implies(h.clock < h.ticket.deadline, leads(w, h, h.ticket.term))])),
    "message-by-a-deadline": lambda w, h: implies(h.message.there, backed(w, h, h.message)),
    "term-held": lambda w, h: implies(h.state == HOLDING, every([
        backed(w, h, h.until), h.until.term == h.term, h.term <= h.ticketed,
        implies(h.term == w.row.term, h.until.duration == w.row.duration)])),
    "term-to-confirm": lambda w, h: implies(h.state == CONFIRMING, (h.term > h.birth) & (h.term <= w.row.term)),
    "ending": lambda w, h: implies(h.state == ENDING, every([
        ~h.ticket.there | h.unlink_due, h.term <= h.ended,
        implies(h.look.there & (h.look.at > h.unlinked), ~h.unlink_due & ~h.ticket.there &
                implies(h.look.taken & h.look.dead, ~h.run.active))])),
    "releasing": lambda w, h: implies(h.state == RELEASING,
                                      ~h.ticket.there & ~h.run.active & ~h.unlink_due & (h.term <= h.ended)),
    "terms-known": lambda w, h: every([one_of(h.state, range(5)), h.unlinked <= h.clock,
                                       *(t <= w.row.term for t in (h.ended, h.ticketed, h.top))]),
    "observation": lambda w, h: implies(h.seen.known, every([
        h.seen.write <= w.row.write, passed(w, h, h.seen.since, h.seen.since_true),
        implies(h.seen.write == w.row.write, (w.row.written <= h.seen.since_true) & (h.seen.lease == w.row.lease))])),
    "question": lambda w, h: implies(h.asked, every([
        passed(w, h, h.sent, h.sent_true), one_of(h.request.kind, range(4)),
        (h.request.life == h.life) & (h.request.boot == h.boot),
        implies(~h.done, harmless(w, h, h.request)),
        implies(h.request.kind == RENEW, implies(h.request.term > h.ticketed, h.request.term > h.birth))])),
    "answer": lambda w, h: implies(h.asked & h.done, every([
        (h.read.write <= w.row.write) & (h.read.term <= w.row.term),
        implies(h.read.write == w.row.write, h.read.lease == w.row.lease),
        implies((h.read.host == h.number) & (h.read.life == h.life), h.read.term > h.birth),
        implies(h.granted & one_of(h.request.kind, [CLAIM, RENEW]), granted_fits(w, h))])),
    "look": lambda w, h: implies(h.look.there, (h.look.at <= h.clock) & implies(
        h.look.taken & ~h.look.dead, backed(w, h, h.look) &
        implies(h.look.term == w.row.term, h.look.duration == w.row.duration))),
    "stray-is-harmless": lambda w, h: implies(h.stray.there, harmless(w, h, h.stray)),
}


def one_at_a_time(w):
    return ~(w.a.run.active & w.b.run.active)


def begins(w):
    """Before the first agent: nothing runs, nothing is known, the record is nobody's."""
    h = w.a
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

    def any(self, sort):
        return self.names.any(sort)


def ask(s, kind):
    """daemon 1: the time is read before the question is sent."""
    w, h = s.w, s.n.a
    s.guard("one-question-at-a-time", ~w.a.asked)
    h.asked, h.done, h.sent, h.sent_true = TRUE, FALSE, w.a.clock, w.now
    h.request = s.names.things(REQUEST)
    s.holds += [h.request.kind == kind, h.request.life == h.life, h.request.boot == h.boot]
    return h.request


def ask_to_observe(s):
    ask(s, OBSERVE)


def ask_to_claim(s):
    q, h = ask(s, CLAIM), s.w.a
    lease = choose(h.seen.lease > RENEW_MIN, h.seen.lease, s.any("Real"))
    s.guard("claim-by-its-own-budget", in_budget(q), budget_without_rates=
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
    s.guard("renew-only-the-held-term", one_of(h.state, [CONFIRMING, HOLDING]) & (q.term == h.term),
            renewed_whatever_it_is=one_of(h.state, [CONFIRMING, HOLDING]))


def ask_to_release(s):
    q, h = ask(s, RELEASE), s.w.a
    s.guard("release-only-the-ended-term", (h.state == RELEASING) & (q.term == h.term),
            released_while_ending=one_of(h.state, [ENDING, RELEASING]) & (q.term == h.term),
            released_whatever_it_is=(h.state == RELEASING) & (q.term <= s.w.row.term))


# The arbiter's work, for the request under way, or for one that was given up.

def write(s, q, **changes):
    w = s.w
    s.n.row = w.row.later(write=w.row.write + 1, written=w.now, **changes)


def carry_out_claim(s, q):
    w, term = s.w, s.any("Int")
    s.guard("arbiter", q.expected == w.row.write, claim_ignores_nonce=TRUE)
    s.guard("arbiter", w.row.clean | ~q.on_clean, clean_untested=TRUE)
    s.guard("arbiter", term > w.row.term, term_not_raised=term >= w.row.term)
    write(s, q, term=term, host=w.a.number, boot=q.boot, life=q.life, clean=False, lease=q.lease, stop=q.stop,
          duration=q.duration)


def is_its_own(s, q):
    return (s.w.row.term == q.term) & (s.w.row.host == s.w.a.number) & (s.w.row.boot == q.boot) & ~s.w.row.clean


def carry_out_renewal(s, q):
    s.guard("arbiter", is_its_own(s, q), renews_anybodys=~s.w.row.clean, renews_what_is_clean=
            (s.w.row.term == q.term) & (s.w.row.host == s.w.a.number) & (s.w.row.boot == q.boot))
    write(s, q)


def carry_out_release(s, q):
    s.guard("arbiter", is_its_own(s, q), release_ignores_term=(s.w.row.host == s.w.a.number) & (s.w.row.boot == q.boot))
    s.n.row.clean = TRUE


def read_row(s):
    s.n.a.read = Things(**{name: getattr(s.n.row, name) for name in RECORD})


def carried_out(s, kind, how):
    h = s.n.a
    s.guard("daemon 5", s.w.a.asked & ~s.w.a.done)
    s.holds.append(h.request.kind == kind)
    how(s, h.request)
    h.done, h.granted = TRUE, TRUE
    read_row(s)


def carried_out_late(s, kind, how):
    q = s.names.things(REQUEST)
    s.holds += [q.kind == kind, harmless(s.w, s.w.a, q)]
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
    """unknown-moves-nothing"""
    s.holds.append(s.w.a.asked)
    give_up_question(s, s.n.a)


# The member's steps.

def take_reply(s):
    """Whatever it says, it was read: the account keeps since when it has been the same."""
    w, h = s.w.a, s.n.a
    s.guard("daemon 5", w.asked & w.done)
    same = w.seen.known & (w.seen.write == w.read.write)
    since, true = s.any("Real"), s.any("Real")
    anew = (since == w.clock) & (true == s.w.now)
    kept = (since == w.seen.since) & (true == w.seen.since_true)
    s.guard("invariant-observation", anew | (same & kept), observation_kept=anew | (w.seen.known & kept))
    h.seen = Things(known=s.any("Bool"), write=w.read.write, lease=w.read.lease, since=since, since_true=true)
    h.top = choose(w.read.term > w.top, w.read.term, w.top)
    h.asked = FALSE


def reply_is_read(s):
    take_reply(s)


def reply_makes_confirm(s):
    """Its own claim, of unknown outcome: nobody but this agent knows the nonce that it wrote."""
    take_reply(s)
    w, h = s.w.a, s.n.a
    ours = (w.read.host == w.number) & (w.read.boot == w.boot)
    s.guard("confirm-only-its-own-claim", ours & (w.read.life == w.life), adopted_by_reading=ours)
    s.guard("over-is-over", w.read.term > w.ended)
    s.holds.append(w.state == STANDBY)
    h.state, h.term = lift_state(CONFIRMING), w.read.term


def lift_state(number):
    return FALSE.__class__(str(number))


def reply_makes_ticket(s):
    take_reply(s)
    w, h = s.w.a, s.n.a
    base, true = s.any("Real"), s.any("Real")
    s.guard("ticket-only-when-granted", w.granted & one_of(w.request.kind, [CLAIM, RENEW]),
            ticket_by_any_answer=one_of(w.request.kind, [CLAIM, RENEW]))
    s.guard("ticket-once-for-a-term", (w.read.term > w.ended) & (w.read.term > w.ticketed),
            ticket_of_an_ended_term=w.read.term > w.ticketed)
    s.guard("ticket-counts-from-the-send", (base == w.sent) & (true == w.sent_true),
            ticket_counts_from_the_reply=(base == w.clock) & (true == s.w.now))
    # From RELEASING and ENDING no way leads to STARTING.
    s.guard("releasing-ends-by-an-answer", w.state != RELEASING)
    s.guard("ending-until-proof", w.state != ENDING)
    h.ticket = Things(there=TRUE, term=w.read.term, deadline=base + w.read.duration, base=base, base_true=true,
                      lease=w.read.lease, stop=w.read.stop, duration=w.read.duration)
    h.until = Things(term=w.read.term, deadline=base + w.read.duration, base=base, base_true=true,
                     duration=w.read.duration)
    h.state, h.term, h.ticketed = lift_state(HOLDING), w.read.term, w.read.term


def reply_extends(s):
    take_reply(s)
    w, h = s.w.a, s.n.a
    base, true, keeps = s.any("Real"), s.any("Real"), s.any("Bool")
    s.guard("extend-only-when-renewed", w.granted & (w.request.kind == RENEW) & (w.request.term == w.term),
            unknown_renewal_believed=(w.request.kind == RENEW) & (w.request.term == w.term))
    s.guard("extend-counts-from-the-send", (base == w.sent) & (true == w.sent_true),
            extend_counts_from_the_reply=(base == w.clock) & (true == s.w.now))
    s.holds.append(w.state == HOLDING)
    new = Things(term=w.term, deadline=base + w.until.duration, base=base, base_true=true, duration=w.until.duration)
    h.until = if_so(keeps, w.until, new)
    sent = Things(there=TRUE, **{name: getattr(h.until, name) for name in DEADLINE})
    h.message = if_so(s.any("Bool"), sent, w.message)


def term_ends(s):
    """For any reason. The order to unlink is carried out later, but before the next event (daemon 3)."""
    w, h, term = s.w.a, s.n.a, s.any("Int")
    held = one_of(w.state, [CONFIRMING, HOLDING])
    s.guard("end-of-a-term-that-was-known", choose(held, term == w.term, term <= w.top))
    s.guard("ending-until-proof", w.state != ENDING)
    s.guard("releasing-ends-by-an-answer", w.state != RELEASING)
    h.state, h.term, h.unlink_due, h.unlinked = lift_state(ENDING), term, TRUE, w.clock
    h.ended = choose(term > w.ended, term, w.ended)


def ticket_is_unlinked(s):
    s.holds.append(s.w.a.unlink_due)
    s.n.a.unlink_due = s.n.a.ticket.there = FALSE


def claim_is_given_up(s):
    """Denied, before anything began."""
    w, h = s.w.a, s.n.a
    s.holds.append(w.state == CONFIRMING)
    h.state, h.ended = lift_state(STANDBY), choose(w.term > w.ended, w.term, w.ended)


def observation_is_forgotten(s):
    """reconnected-observes-anew, and whenever it may not be trusted."""
    s.n.a.seen.known = FALSE


def look_is_asked(s):
    w, h = s.w.a, s.n.a
    s.guard("daemon 3", ~w.unlink_due, looked_before_it_was_unlinked=TRUE)
    h.look.there, h.look.at, h.look.taken = TRUE, w.clock, FALSE


def look_is_taken(s):
    """daemon 2: what it says was true at some time after it was asked."""
    w, h = s.w.a, s.n.a
    s.holds.append(w.look.there)
    dead = s.any("Bool")
    s.guard("daemon 2", dead == ~w.run.active, proof_invented=TRUE)
    h.look = Things(there=TRUE, at=w.look.at, taken=TRUE, dead=dead, duration=w.run.duration,
                    **{name: getattr(w.run, name) for name in DEADLINE})


def look_proves(s):
    w, h = s.w.a, s.n.a
    s.holds += [w.look.there & w.look.taken, w.state == ENDING]
    s.guard("ending-until-proof", w.look.dead & (w.look.at > w.unlinked), proof_from_before=w.look.dead,
            release_without_proof=w.look.at > w.unlinked)
    h.state, h.look.there = choose(s.any("Bool"), RELEASING, STANDBY), FALSE


def look_adopts(s):
    w, h = s.w.a, s.n.a
    s.holds += [w.look.there & w.look.taken, w.state == STANDBY]
    s.guard("adopt-only-its-own-live-keeper", ~w.look.dead)
    s.guard("over-is-over", w.look.term > w.ended)
    h.state, h.term = lift_state(HOLDING), w.look.term
    h.ticketed = choose(w.look.term > w.ticketed, w.look.term, w.ticketed)
    h.until = Things(duration=w.look.duration, **{name: getattr(w.look, name) for name in DEADLINE})
    h.look.there = FALSE


def look_is_read(s):
    """Of one that finds a keeper which is not its own to renew, the term may be ended."""
    w, h = s.w.a, s.n.a
    s.holds.append(w.look.there & w.look.taken)
    h.look.there = FALSE
    h.top = choose(~w.look.dead & (w.look.term > w.top), w.look.term, w.top)


def release_is_over(s):
    s.holds.append(s.w.a.state == RELEASING)
    s.guard("one-question-at-a-time", ~s.w.a.asked)
    s.n.a.state = lift_state(STANDBY)


# The keeper, and what runs by it.

def keeper_begins(s):
    """Also of one that somebody starts by hand, also when units of an earlier one are left: the later deadline counts."""
    w, h = s.w.a, s.n.a
    s.holds.append(w.ticket.there)
    s.guard("ticket-in-time", w.clock < w.ticket.deadline, ticket_believed_late=TRUE)
    s.guard("keeper-begins-by-the-ticket", TRUE)
    t = {name: getattr(w.ticket, name) for name in [*DEADLINE, *SPANS]}
    new = Things(active=TRUE, phase=lift_state(LEADING), kill=w.run.kill, killed=w.run.killed, **t)
    old = w.run.later(phase=LEADING)
    h.run = if_so(w.run.active & (w.run.deadline > w.ticket.deadline), old, new)


def extension_arrives(s):
    """The newest, an old one, one that came twice."""
    w, h = s.w.a, s.n.a
    m = s.names.things(DEADLINE)
    base, true = s.any("Real"), s.any("Real")
    s.holds += [w.run.active & (w.run.phase == LEADING), backed(s.w, w, m)]
    s.guard("extend-proper", m.term == w.run.term, extended_by_any_term=TRUE)
    s.guard("extend-proper", (base == m.base) & (true == m.base_true), keeper_counts_from_its_receipt=
            (base == w.clock) & (true == s.w.now))
    h.run.deadline, h.run.base, h.run.base_true = m.deadline - m.base + base, base, true
    s.guard("keeper-deadline-never-back", h.run.deadline >= w.run.deadline, keeper_deadline_goes_back=TRUE)


def keeper_ends(s):
    """Told to, at its deadline, killed, frozen: somebody else goes on, and keeps the same bound."""
    w, h, kill = s.w.a, s.n.a, s.any("Real")
    s.holds.append(w.run.active & (w.run.phase == LEADING))
    s.guard("kill-by-deadline-and-s", kill <= w.run.deadline + w.run.stop, kill_from_the_end=kill == w.clock + w.run.stop)
    s.guard("fence-kills-by-deadline-and-s", TRUE)
    h.run.phase, h.run.kill = lift_state(STOPPING), kill
    # In time, or at once.
    s.holds.append(w.clock <= kill + SLACK)


def units_are_killed(s):
    w, h = s.w.a, s.n.a
    s.holds.append(w.run.active & (w.run.phase == STOPPING))
    h.run.phase, h.run.killed = lift_state(KILLED), w.clock


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
    s.holds.append(s.n.a.unlinked <= s.n.a.clock)


def agent_crashes(s):
    """At any time, also between what it decided and what it did; another one begins, now or later."""
    agent_is_new(s)


def host_restarts(s):
    """Its clock begins anew, its owner is another, and nothing but what was asked of the arbiter is left."""
    agent_is_new(s, clock=s.any("Real"), boot=s.w.a.life + 1)
    s.n.a.run.active = s.n.a.ticket.there = s.n.a.message.there = FALSE


def time_passes(s):
    w, n, span = s.w, s.n, s.any("Real")
    s.holds.append(span >= 0)
    n.now = w.now + span
    for old, h in ((w.a, n.a), (w.b, n.b)):
        h.clock = s.any("Real")
        went = 1000 * (h.clock - old.clock)
        s.guard("assumption 1", (999 * span <= went) & (went <= 1001 * span),
                clock_at_double_rate=(999 * span <= went) & (went <= 2000 * span),
                clock_at_half_rate=(500 * span <= went) & (went <= 1001 * span))
        run, phase = old.run, old.run.phase
        s.guard("deadline-ends-it", TRUE)
        s.guard("watchdog-within-slack", TRUE)
        s.guard("assumption 2", implies(run.active & (phase == LEADING), h.clock <= run.deadline + SLACK),
                nobody_ends_it=TRUE)
        s.guard("assumption 2", implies(run.active & (phase == STOPPING), h.clock <= run.kill + SLACK), never_kills=TRUE)
        s.guard("assumption 3", implies(run.active & (phase == KILLED), h.clock <= run.killed + kill_of(run.lease)),
                unkillable=TRUE)


STEPS = {f.__name__.replace("_", "-"): f for f in (
    ask_to_observe, ask_to_claim, ask_to_renew, ask_to_release, observed, claimed, claimed_late, renewed, renewed_late,
    released, released_late, refused, reply_is_lost, reply_is_read, reply_makes_confirm, reply_makes_ticket,
    reply_extends, term_ends, ticket_is_unlinked, claim_is_given_up, observation_is_forgotten, look_is_asked,
    look_is_taken, look_proves, look_adopts, look_is_read, release_is_over, keeper_begins, extension_arrives, keeper_ends,
    units_are_killed, all_is_gone, agent_crashes, host_restarts, time_passes)}


def any_world(names):
    w = names.things(WORLD)
    w.a.number, w.b.number = lift_state(1), lift_state(2)
    return w
