# SPDX-License-Identifier: Apache-2.0
"""Deliberate breaks: of the shipped sources, each refuted by the property that is named with it; and of guards of the
whole, each by what it is there for."""

import os
import shutil

import whole

from .tools import BUILD, SOURCE, ToolFailed

BUDGET, USEC = "base/budget.c", "base/usec.h"
RULES = "keeper/rules.c"
MEMBER, STANDBY, HOLD, END = "election/member.c", "election/standby.c", "election/hold.c", "election/end.c"
MOVES, OBSERVATION, OWN_RECORD = "election/moves.c", "election/observation.c", "election/own_record.c"
INTERVALS, HEALING, HEAL = "election/intervals.c", "election/healing.c", "election/heal.c"
COVER, NONCES, WATCH = "election/cover.c", "election/nonces.c", "election/watch.c"
PAUSE, RECORD = "election/pause.c", "election/record.c"


class Mutant:
    """old stands once in the file, and new takes its place. part: of the proof, where it is refuted."""

    def __init__(self, name, proof, part, file, old, new, by):
        self.name, self.proof, self.part, self.file = name, proof, part, file
        self.old, self.new, self.by = old, new, by
        self.place = f"agent/{file}"


class GuardBreak:
    """by: the parts of the invariant that fail, and no other does."""

    proof, place = "whole", "tests/proof/whole.py"

    def __init__(self, name, by):
        self.name, self.by = name, by


def _budget(name, file, old, new, by):
    return Mutant(name, "budget", "budget", file, old, new, by)


def _keeper(part, name, old, new, by):
    return Mutant(name, "keeper", part, RULES, old, new, by)


def _member(part, name, old, new, by, file=MEMBER):
    return Mutant(name, "member", part, file, old, new, by)


MUTANTS = [
    # ---- the budget ----
    _budget("lease-rounded-up", BUDGET,
            "(2 * lease + BUDGET_CLOCK_RATE_DIVISOR - 1) / BUDGET_CLOCK_RATE_DIVISOR",
            "2 * lease / BUDGET_CLOCK_RATE_DIVISOR", "lease-rounded-down"),
    _budget("kill-not-spent", BUDGET, "usec_t spent = BUDGET_SLACK_USEC + stop + kill;",
            "usec_t spent = BUDGET_SLACK_USEC + stop;", "budget-promise"),
    _budget("least-duration-refused", BUDGET, "duration < BUDGET_RENEW_MIN_USEC", "duration <= BUDGET_RENEW_MIN_USEC",
            "budget-accepts"),
    _budget("smallest-is-too-small", BUDGET, "return high * SMALLEST_LEASE_STEP;", "return low * SMALLEST_LEASE_STEP;",
            "budget-smallest"),
    _budget("judged-without-kill", BUDGET, "BUDGET_SLACK_USEC + stop + budget_kill(lease) <=",
            "BUDGET_SLACK_USEC + stop <=", "budget-judges"),
    _budget("kill-at-least-a-second", BUDGET, "usec_min(BUDGET_KILL_MAX_USEC", "usec_max(BUDGET_KILL_MAX_USEC",
            "budget-kill"),
    # Whatever follows a sum that wraps is proven of those that do not.
    _budget("sums-wrap", USEC, "a > USEC_INFINITY - b ? USEC_INFINITY : a + b", "a + b",
            "budget-no-undefined-behaviour-no-wrap"),
    _budget("sums-stop-short", USEC, "a > USEC_INFINITY - b ? USEC_INFINITY : a + b",
            "a > USEC_INFINITY - b ? USEC_INFINITY - 1 : a + b", "saturating-add"),
    # ---- the keeper's rules ----
    _keeper("ticket", "ticket-of-any-group", "if (strcmp(t->group, group) != 0)", "if (strcmp(t->group, group) < 0)",
            "ticket-own-group"),
    _keeper("ticket", "ticket-of-any-term", "t->term > INT64_MAX", "t->term == UINT64_MAX", "ticket-term-bounds"),
    _keeper("ticket", "ticket-of-any-budget", "budget_holds(t->lease, t->stop, t->duration)", "budget_holds(t->lease, t->stop, 1)",
            "ticket-keeps-budget"),
    _keeper("ticket", "ticket-too-far", "if (t->deadline > usec_add(now, t->duration))", "if (t->deadline > usec_add(now, t->lease))",
            "ticket-in-time"),
    _keeper("message", "extended-too-late", "if (now >= k->deadline)\n        return MESSAGE_TOO_LATE;",
            "if (now > k->deadline)\n        return MESSAGE_TOO_LATE;", "extend-proper"),
    _keeper("message", "extended-too-far", "if (deadline > usec_add(now, duration))",
            "if (deadline > usec_add(k->deadline, duration))", "extend-at-most-d-ahead"),
    _keeper("message", "extended-back", "    if (deadline < k->deadline)\n        return MESSAGE_NOT_LATER;\n", "",
            "keeper-deadline-never-back"),
    _keeper("message", "extended-with-any-lease",
            "    if (!budget_holds(lease, k->stop, duration))\n        return MESSAGE_BROKEN_BUDGET;\n", "",
            "extend-keeps-budget"),
    _keeper("message", "longer-without-an-extension", "(lease > k->lease || duration > k->duration)",
            "duration > k->duration", "keeper-spans-only-by-extension"),
    _keeper("message", "version-1-takes-a-lease", "fixed ? k->lease : m->lease", "m->lease",
            "extend-version-1-keeps-its-lease"),
    _keeper("message", "extended-by-any-term", "    if (m->term != k->term)\n        return MESSAGE_OTHER_TERM;\n", "",
            "extend-proper"),
    _keeper("message", "extended-while-ending", "        return MESSAGE_ALREADY_ENDING;\n    /* However early",
            "        k->phase = KEEPER_LEADING;\n    /* However early", "keeper-ends-for-good"),
    _keeper("message", "ended-by-anybody", "    if (!from_agent)\n        return MESSAGE_WRONG_SENDER;\n", "",
            "message-ends-only-as-asked"),
    _keeper("end", "last-reason-stays", "    if (k->phase == KEEPER_ENDING)\n        return;\n", "", "keeper-ends-for-good"),
    _keeper("end", "ended-at-the-deadline", "k->ended = now;", "k->ended = k->deadline;", "keeper-end-is-now"),
    _keeper("deadline", "deadline-missed", "k->phase == KEEPER_LEADING && now >= k->deadline",
            "k->phase == KEEPER_LEADING && now > k->deadline", "deadline-ends-it"),
    _keeper("times", "kill-from-the-end", "usec_add(usec_min(k->ended, k->deadline), k->stop)", "usec_add(k->ended, k->stop)",
            "kill-by-deadline-and-s"),
    _keeper("times", "kill-from-the-deadline", "usec_add(usec_min(k->ended, k->deadline), k->stop)",
            "usec_add(k->deadline, k->stop)", "kill-by-end-and-s"),
    _keeper("look", "exit-before-processes", "if (!l->answered || l->up || l->populated)", "if (!l->answered || l->up)",
            "exit-leaves-nothing"),
    _keeper("look", "exit-before-answer", "if (!l->answered || l->up || l->populated)", "if (l->up || l->populated)",
            "exit-leaves-nothing"),
    _keeper("look", "empty-believed-first", "if (!l->answered || l->up || l->populated)", "if (!l->answered || l->populated)",
            "exit-leaves-nothing"),
    _keeper("look", "empty-counts", "if (l->unlinked && (l->children > 0", "if ((l->children > 0", "empty-cgroup-is-nothing"),
    _keeper("look", "unlinked-unseen", "    if (l->unlinked && (l->children > 0 || l->stops == STOPS_OPEN))\n        return false;\n",
            "", "exit-leaves-nothing-unseen"),
    _keeper("look", "exit-without-a-word", "return !reboot || (l->stops != STOPS_OPEN && l->stops != STOPS_LEFT);", "return true;",
            "exit-only-by-the-agents-word"),
    _keeper("look", "restart-for-a-busy-pid1", "    case STOPS_GONE:\n        return l->populated;",
            "    case STOPS_GONE:\n        return l->populated || l->up;", "left-is-not-a-busy-pid1"),
    _keeper("look", "left-unreported", "    case STOPS_LEFT:\n        return true;", "    case STOPS_LEFT:\n        return l->populated;",
            "left-is-reported"),
    _keeper("times", "watchdog-late", "BUDGET_PID1_EXTRA_USEC", "BUDGET_SLACK_USEC",
            "watchdog-within-slack"),
    _keeper("times", "watchdog-off", "usec_max(usec_sub(at, now), 1)", "usec_sub(at, now)", "watchdog-never-off"),
    _keeper("times", "sleeps-past-deadline", "k->phase == KEEPER_LEADING ? k->deadline :",
            "k->phase == KEEPER_LEADING ? usec_add(k->deadline, BUDGET_SLACK_USEC) :", "wakes-by-deadline"),
    _keeper("times", "sleeps-past-kill", "return usec_min(usec_add(now, interval), kill_time);", "return usec_add(now, interval);",
            "wakes-by-kill"),
    _keeper("fence", "fence-from-its-begin", "usec_add(usec_min(now, state->deadline), state->stop)",
            "usec_add(now, state->stop)", "fence-kills-by-deadline-and-s"),
    _keeper("last-resort", "reboot-after-k", "usec_max(alert, usec_sub(kill, KEEPER_REBOOT_EARLY_USEC))",
            "usec_add(kill, KEEPER_REBOOT_EARLY_USEC)", "reboot-by-k"),
    _keeper("last-resort", "alert-at-the-reboot", "reboot ? kill / 2 : kill", "kill", "alert-before-reboot"),
    # ---- claims ----
    _member("send", "observed-for-half", "return usec_add(m->seen.since, record_lease(m, &m->seen.record));",
            "return usec_add(m->seen.since, record_lease(m, &m->seen.record) / 2);", "claim-after-a-full-lease", OBSERVATION),
    _member("send", "claim-after-a-gap", "(m->seen.record.claimable || !observation_gap(m, now))", "true",
            "claim-after-a-full-lease", STANDBY),
    _member("reply-standby", "gap-unseen", "if (!same || observation_gap(m, now))", "if (!same)", "invariant-observation", OBSERVATION),
    _member("reply-standby", "change-unseen",
            "nonce_equal(&m->seen.record.nonce, &r->nonce) &&\n                epoch_equal",
            "epoch_equal",
            "invariant-observation", OBSERVATION),
    _member("send", "claim-of-another-nonce", ".expected_nonce = m->seen.record.nonce", ".expected_nonce = m->notice.nonce",
            "claim-of-what-was-read", STANDBY),
    _member("send", "clean-unannounced", "return m->has_notice && m->seen.valid &&", "return m->seen.valid &&", "claim-of-what-is-clean", STANDBY),
    _member("send", "claim-of-its-own-on-notice", "           !record_ours(m, &m->seen.record) && member_replaced_by(m) == 0;",
            "           member_replaced_by(m) == 0;", "claim-of-its-own-after-a-full-lease", STANDBY),
    _member("send", "claim-of-an-old-term", ".term_floor = member_term_floor(m)", ".term_floor = member_term_floor(m) - 1",
            "claim-above-every-term", STANDBY),
    _member("send", "claim-where-it-was-replaced", "if (!m->seen.valid || member_replaced_by(m) > 0)", "if (!m->seen.valid)",
            "claim-not-at-a-replaced-server", OBSERVATION),
    _member("send", "claim-while-stopped",
            "    if (!m->stopping)\n        ask_to_claim_or_poll",
            "    ask_to_claim_or_poll",
            "claim-only-as-standby", STANDBY),
    _member("send", "claim-without-a-slot", "if (event->may_claim) {", "if (true) {", "claim-only-when-allowed", STANDBY),
    _member("send", "claim-by-an-unfit-clock", "if (!event->fit) {\n        forget", "if (false) {\n        forget",
            "claim-only-when-allowed", STANDBY),
    _member("send", "claim-with-another-lease", ".term_floor = member_term_floor(m),\n        .lease = m->budget.lease",
            ".term_floor = member_term_floor(m),\n        .lease = m->seen.record.lease", "claim-by-its-own-budget", STANDBY),
    _member("send", "claim-unguarded", "host_all_dead(&m->host) && m->host.guarded;", "host_all_dead(&m->host);",
            "host-empty-and-guarded", MOVES),
    _member("send", "claim-unlooked", "return poll_is_fresh(m, now) && host_all_dead", "return host_all_dead",
            "host-looked-at-lately", MOVES),
    _member("connected", "reconnect-ignored",
            "    m->has_notice = false;\n    m->namesake_changes = 0;\n}",
            "    m->namesake_changes = 0;\n}",
            "reconnected-forgets-release-notices"),
    _member("connected", "reconnect-forgets",
            "    m->has_notice = false;\n    m->namesake_changes = 0;\n}",
            "    m->has_notice = m->seen.valid = false;\n}",
            "reconnected-observes-on"),
    _member("reply-standby", "restart-ignored", "epoch_equal(&m->seen.epoch, &reply->epoch)",
            "history_equal(&m->seen.epoch, &reply->epoch)", "restarted-observes-again", OBSERVATION),
    _member("send", "claim-of-another-life", ".epoch = m->seen.epoch,", ".epoch = m->claim_epoch,", "claim-of-what-was-read", STANDBY),
    # ---- tickets ----
    _member("reply-standby", "denial-believed", "m->operation == OPERATION_CLAIM && reply->outcome == OUTCOME_GRANTED",
            "m->operation == OPERATION_CLAIM && reply->has_record", "ticket-only-when-granted", STANDBY),
    _member("reply-confirming", "claim-of-another-history", "return m->claim_open && history_equal(epoch, &m->claim_epoch);",
            "return m->claim_open;", "ticket-only-when-granted", OWN_RECORD),
    _member("reply-standby", "old-term-granted", "r->term >= q->term_floor && ", "", "ticket-once-for-a-term", RECORD),
    _member("reply-standby", "deadline-from-reply",
            "term->deadline = usec_add(m->sent_at, granted.duration);",
            "term->deadline = usec_add(m->seen.at, granted.duration);",
            "ticket-counts-from-the-send", MOVES),
    _member("reply-standby", "ticket-late",
            "usec_add(m->sent_at, cover->duration / 2)",
            "usec_add(m->sent_at, cover->duration)",
            "ticket-before-half-of-d", MOVES),
    _member("reply-standby", "ticket-of-any-budget-of-a-record",
            "    if (!budget_holds(cover->lease, m->term.stop, cover->duration))\n        return REASON_HOST_NOT_READY;\n",
            "",
            "ticket-keeps-the-budget", MOVES),
    _member("reply-standby", "ticket-while-stopped",
            "    if (m->stopping)\n        return REASON_STOPPED;\n",
            "",
            "ticket-not-when-stopped", MOVES),
    _member("reply-standby", "ticket-and-extension", "ACTION_TICKET | ACTION_POLL", "ACTION_TICKET | ACTION_EXTEND",
            "ticket-stands-alone", MOVES),
    _member("reply-standby", "confirm-any-claim", "nonce_equal(&r->nonce, &m->claim_nonce) &&", "",
            "confirm-only-its-own-claim", STANDBY),
    _member("reply-standby", "confirm-what-ended", "&m->claim_nonce) &&\n        r->term > m->over_term)", "&m->claim_nonce))",
            "over-is-over", STANDBY),
    # ---- renewals ----
    _member("send", "renew-by-an-unfit-clock",
            "    if (!event->fit)\n        return;\n    request_renewal",
            "    request_renewal",
            "renew-only-by-a-fit-clock", HOLD),
    _member("send", "renew-with-the-old-nonce",
            ".term = term->number,\n        .fresh_nonce = event->nonce",
            ".term = term->number,\n        .fresh_nonce = m->sent_nonce",
            "nonce-is-the-fresh-one", HOLD),
    _member("send", "two-questions", "        m->in_flight = true;\n", "", "invariant-question"),
    _member("reply-leading", "extend-late", "if (now >= m->term.deadline) { /*",
            "if (now >= usec_add(m->term.deadline, BUDGET_SLACK_USEC)) { /*", "extend-before-the-deadline", HOLD),
    _member("reply-leading", "extend-from-the-reply", "usec_t deadline = usec_add(m->sent_at, duration);",
            "usec_t deadline = usec_add(now, duration);", "extend-counts-from-the-send", HOLD),
    _member("reply-leading", "extend-unsaid", "    update->actions |= ACTION_EXTEND;\n", "",
            "deadline-moves-only-by-extending", HOLD),
    _member("reply-leading", "pause-ignored",
            "if (m->pause_verdict == PAUSE_LIKELY) {",
            "if (false) {",
            "extend-not-after-a-pause", HOLD),
    _member("reply-leading", "step-ends",
            "if (m->pause_verdict == PAUSE_LIKELY) {",
            "if (m->pause_verdict != PAUSE_NONE) {",
            "renewed-keeps-leading", HOLD),
    _member("reply-leading", "unknown-believed",
            "        nonces_tried(&m->term.nonces, &m->sent_nonce);\n        m->due = usec_add(event->now, renewal_interval(m) / RETRY_PART);",
            "        renewed(m, event->reply, event->now, update);",
            "unknown-moves-nothing", HOLD),
    _member("reply-leading", "denial-ignored", "    begin_ending(m, REASON_DENIED, now, update);\n", "",
            "end-when-denied", HOLD),
    _member("reply-adopting", "denial-without-an-end", "    if (m->state == MEMBER_CONFIRMING) {\n        become_standby(m, now, 0);",
            "    if (m->state != MEMBER_LEADING) {\n        become_standby(m, now, 0);", "end-is-the-only-way-out", HOLD),
    _member("reply-leading", "denied-and-released", "m->term.release = false; /* the record", "/* the record", "invariant-term", HOLD),
    _member("resume", "budget-for-a-running-term", "        m->budget = *event->budget;\n",
            "        m->budget = *event->budget;\n        m->term.cover.duration = m->budget.duration;\n",
            "new-lease-not-before-a-renewal"),
    # ---- keepers, found and lost ----
    _member("host", "leads-by-an-old-look", "    if (host->asked_at <= m->since)\n        return; /* asked before the ticket was out */\n",
            "", "leads-only-by-grant-or-look", HOLD),
    _member("host", "leads-by-any-keeper", "host->keeper == KEEPER_ACTIVE && host->keeper_term == m->term.number",
            "host->keeper == KEEPER_ACTIVE", "leads-only-by-grant-or-look", HOLD),
    _member("host", "leads-as-adopted", "enter(m, MEMBER_ADOPTING, now);", "enter(m, MEMBER_LEADING, now);",
            "leads-only-by-grant-or-look", MOVES),
    _member("host", "adopt-anybodys", "host->keeper_ours && host->keeper_term > m->over_term", "host->keeper_term > m->over_term",
            "adopt-only-its-own-live-keeper", STANDBY),
    _member("host", "adopt-any-deadline", "usec_min(host->keeper_deadline, usec_add(now, host->keeper_duration))",
            "host->keeper_deadline", "adopt-at-most-d-ahead", MOVES),
    _member("host", "adopt-what-ended", "host->keeper_ours && host->keeper_term > m->over_term", "host->keeper_ours", "over-is-over", STANDBY),
    _member("host", "adopt-while-stopped",
            "        if (m->stopping)\n            begin_ending(m, REASON_STOPPED, now, update);\n",
            "",
            "stopped-leads-nothing", STANDBY),
    _member("host", "adopt-with-an-extension",
            "        begin_adopting(m, now);\n",
            "        begin_adopting(m, now);\n        update->actions |= ACTION_EXTEND;\n",
            "adopt-without-a-ticket", STANDBY),
    _member("host", "keeper-loss-ignored", "(host->keeper == KEEPER_GONE || host->keeper_term != m->term.number)",
            "(host->keeper_term != m->term.number)", "end-when-the-keeper-is-gone", HOLD),
    # ---- ends ----
    _member("host", "left-is-given-back",
            "if (left || !m->term.release) {",
            "if (!m->term.release) {",
            "ending-until-proof", END),
    _member("host", "left-is-forgotten", "        m->left_term = m->term.number;\n", "        m->left_term = 0;\n", "invariant-terms", END),
    _member("clock", "deadline-passed-over",
            "    if (event->now >= m->term.deadline)\n        begin_ending(m, REASON_DEADLINE",
            "    if (event->now > m->term.deadline)\n        begin_ending(m, REASON_DEADLINE",
            "end-at-the-deadline", HOLD),
    _member("clock", "start-past-its-deadline",
            "    if (event->now >= m->term.deadline)\n        begin_ending(m, REASON_START_FAILED",
            "    if (event->now > m->term.deadline)\n        begin_ending(m, REASON_START_FAILED",
            "end-when-the-keeper-is-not-there-in-time", HOLD),
    _member("stop", "stop-while-confirming",
            "[EVENT_STOP]      = { standby_stop,   hold_stop, ",
            "[EVENT_STOP]      = { standby_stop,   ignored, ",
            "end-when-stopped"),
    _member("clock", "ticket-left", "update->actions |= ACTION_UNLINK | ACTION_END | ACTION_POLL;",
            "update->actions |= ACTION_END | ACTION_POLL;", "end-is-the-only-way-out", MOVES),
    _member("clock", "keeper-unasked", "update->actions |= ACTION_UNLINK | ACTION_END | ACTION_POLL;",
            "update->actions |= ACTION_UNLINK | ACTION_POLL;", "end-is-whole", MOVES),
    _member("clock", "asked-once", "        update->actions |= ACTION_END | ACTION_POLL;\n        if", "        update->actions |= ACTION_POLL;\n        if",
            "ending-asks-again", END),
    _member("host", "proof-from-before", "    if (host->asked_at <= m->since)\n        return;\n    /* A start", "    /* A start",
            "ending-until-proof", END),
    _member("host", "proof-of-nothing",
            "    if (host_all_dead(host))\n        end_when_dead",
            "    end_when_dead",
            "ending-until-proof", END),
    _member("host", "proof-of-units-alone", "host->keeper == KEEPER_GONE && host->units_dead && host->slice_empty && !host->open;",
            "host->keeper == KEEPER_GONE && host->units_dead && !host->open;", "ending-until-proof", MOVES),
    # ---- releases, memory ----
    _member("reply-releasing", "unknown-is-released", "        m->due = usec_add(event->now, member_limit(m) / RETRY_PART);\n    else if (!released",
            "        finish_release(m, NOTE_LOST, event->now, update);\n    else if (!released",
            "releasing-ends-by-an-answer", END),
    _member("send", "release-of-the-last-term",
            "        .operation = OPERATION_RELEASE,\n        .term = term->number,",
            "        .operation = OPERATION_RELEASE,\n        .term = m->highest_term,",
            "release-only-the-ended-term", END),
    _member("reply-ending", "unknown-forgotten-at-the-end",
            "    else if (reply->outcome == OUTCOME_UNKNOWN)\n        nonces_tried(nonces, &m->sent_nonce);\n",
            "",
            "invariant-nonces", END),
    _member("reply-releasing", "end-forgotten", "    if (m->term.number > m->over_term)\n        m->over_term = m->term.number;\n", "",
            "invariant-terms", MOVES),
    _member("reply-standby", "term-forgotten", "        m->highest_term = reply->record.term;\n", "        m->highest_term++;\n",
            "invariant-terms"),
    _member("stop", "settled-unlooked", " && m->host.asked_at > 0 &&\n           host_all_dead(&m->host);", ";",
            "settled-means-nothing-runs"),
    # ---- nonces ----
    _member("reply-leading", "other-nonce-believed",
            "    if (nonces_explain(&m->term.nonces, &reply->record.nonce, &reply->epoch))\n        return true;",
            "    return true;",
            "copy-ends-the-term", HOLD),
    _member("reply-leading", "copy-given-back",
            "    term->release = false;\n    watch_copied(&m->watch, term->number);\n    begin_ending(m, REASON_COPY",
            "    watch_copied(&m->watch, term->number);\n    begin_ending(m, REASON_COPY",
            "copy-ends-the-term", HOLD),
    _member("reply-ending", "copy-given-back-at-the-end",
            "    m->term.release = false;\n    watch_copied(&m->watch, m->term.number);\n    if (m->state == MEMBER_RELEASING)",
            "    watch_copied(&m->watch, m->term.number);\n    if (m->state == MEMBER_RELEASING)", "invariant-term", END),
    _member("reply-releasing", "copy-unreported",
            "        finish(m, NOTE_COPY, now, update);\n    else\n",
            "        finish(m, NOTE_LOST, now, update);\n    else\n",
            "copy-is-reported", END),
    _member("reply-leading", "old-nonce-believed", "return remembered && !nonces_exclude(n, epoch);", "return remembered;",
            "copy-ends-the-term", NONCES),
    _member("reply-leading", "fifteen-remembered", "i < NONCES_REMEMBERED; i++)\n        remembered",
            "i < NONCES_REMEMBERED - 1; i++)\n        remembered", "own-nonce-counts-after-a-failover", NONCES),
    _member("reply-leading", "unknown-forgotten", "        nonces_tried(&m->term.nonces, &m->sent_nonce);\n        m->due",
            "        m->due", "invariant-nonces", HOLD),
    _member("reply-leading", "nine-named", "n->n_known < REQUEST_NONCES_MAX)", "n->n_known <= REQUEST_NONCES_MAX)",
            "invariant-nonces", NONCES),
    _member("reply-leading", "last-one-dropped", "    n->n_known = 1;\n    n->complete", "    n->n_known = 2;\n    n->complete",
            "invariant-nonces", NONCES),
    _member("reply-leading", "late-own-nonce-a-copy", "    n->certain = n->certain && epoch_equal(&n->epoch, epoch);\n", "",
            "invariant-nonces", NONCES),
    _member("send", "one-named", "request->n_known = n->n_known;", "request->n_known = 1;", "renew-names-all-that-may-be-there",
            NONCES),
    _member("send", "not-read-first",
            "if (term->nonces.n_known == 0) {",
            "if (term->nonces.n == 0) {",
            "what-is-not-known-is-read", HOLD),
    _member("reply-adopting", "adopts-for-ever",
            " || m->term.adopted_by >= ADOPTED_BY_MAX)",
            ")",
            "adopted-by-three-at-most", HOLD),
    _member("reply-adopting", "reads-after-a-pause",
            "if (m->state != MEMBER_CONFIRMING && end_if_paused(",
            "if (m->state == MEMBER_STANDBY && end_if_paused(",
            "end-when-paused", HOLD),
    _member("reply-adopting", "read-to-be-lost", "    else\n        lose_term(m, event->now, update);\n", "",
            "end-when-read-to-be-lost", HOLD),
    # ---- orphans ----
    _member("send", "orphan-at-once",
            "bool still = watch_still_at(&m->watch, term->number) <= event->now;",
            "bool still = term->number > 0;",
            "orphan-only-after-it-stood-still", END),
    _member("send", "orphan-for-a-part", "usec_add(w->interval, w->interval / MARGIN_PART)", "w->interval / MARGIN_PART",
            "orphan-only-after-it-stood-still", WATCH),
    _member("send", "orphan-of-any-nonce", ".known = {m->watch.nonce},", ".known = {m->sent_nonce},",
            "orphan-only-after-it-stood-still", END),
    _member("send", "orphan-that-changed-twice", " || watch_is_copy(w, term))", ")", "orphan-that-changed-twice-is-kept", WATCH),
    _member("reply-standby", "changes-not-counted", "        w->changes++; /*", "        ; /*", "invariant-watch", WATCH),
    _member("reply-standby", "change-watched-on", "if (!same || w->since == USEC_INFINITY)", "if (w->since == USEC_INFINITY)",
            "invariant-watch", WATCH),
    _member("send", "watched-by-an-unfit-clock",
            "        if (!event->fit)\n            watch_interrupt(&m->watch);\n",
            "",
            "orphan-only-after-it-stood-still"),
    _member("reply-releasing", "watch-begun-by-an-unfit-clock",
            "    if (!m->sent_fit)\n        watch_interrupt(&m->watch);\n    return verdict;", "    return verdict;",
            "invariant-watch", OWN_RECORD),
    # ---- guards that are lost ----
    _member("host", "heal-what-is-whole", "if (state == GUARDS_UNKNOWN || state == GUARDS_WHOLE)\n        return USEC_INFINITY;",
            "if (state == GUARDS_UNKNOWN)\n        return USEC_INFINITY;", "heal-only-what-is-lost", HEALING),
    _member("clock", "heal-what-is-unknown", "if (state == GUARDS_UNKNOWN || state == GUARDS_WHOLE)\n        return USEC_INFINITY;",
            "if (state == GUARDS_WHOLE)\n        return USEC_INFINITY;", "heal-only-what-is-lost", HEALING),
    _member("clock", "heals-at-once", "    if (h->since == 0 || h->asked)\n", "    if (h->since == 0)\n", "heal-one-at-a-time", HEAL),
    _member("host", "heal-without-grace", "usec_add(now, HEAL_GRACE_USEC));\n    }", "now);\n    }", "invariant-heals", HEAL),
    _member("clock", "heal-while-led-without-grace", "return usec_max(usec_add(h->since, HEAL_GRACE_USEC),",
            "return usec_max(h->since,", "heal-not-at-once", HEAL),
    _member("healed", "heal-without-a-pause", "    h->not_before = usec_max(h->not_before, usec_add(now, pause));\n", "",
            "invariant-heals", HEAL),
    _member("clock", "heal-beside-an-apply", "return m->stopping ? USEC_INFINITY : heal_due(&m->heal, false);",
            "return heal_due(&m->heal, false);", "heal-not-when-stopped", HEALING),
    _member("host", "heal-and-begin",
            "    if (m->state != MEMBER_ENDING)\n        heal_if_due(m, event, update);",
            "    heal_if_due(m, event, update);",
            "heal-stands-alone", HOLD),
    _member("host", "given-up-too-soon", "return h->failed >= HEALS_MAX;", "return h->failed > 0;",
            "unguarded-only-after-two-heals", HEAL),
    _member("host", "old-guards-believed", "if (!h->open || g->asked_at <= h->over_at)", "if (!h->open)", "invariant-heals", HEAL),
    _member("host", "unguarded-leads-on", "    else if (g->state == GUARDS_BARE && heal_failed(&m->heal))\n        begin_ending(m, REASON_UNGUARDED, now, update);\n",
            "", "unguarded-ends-the-term", HOLD),
    _member("host", "outside-leads-on", "if (g->outside)\n        begin_ending(m, REASON_OUTSIDE",
            "if (g->outside && heal_failed(&m->heal))\n        begin_ending(m, REASON_OUTSIDE", "outside-ends-the-term", HOLD),
    _member("host", "unguarded-is-left",
            "        return;\n    update->actions |= ACTION_STOP_KEEPER;\n}",
            "        return;\n}",
            "unguarded-is-stopped-by-name", HOLD),
    _member("host", "unknown-is-lost", "    if (!heal_knows(g, now))\n        return;\n    judge_last", "    judge_last",
            "unknown-is-never-lost", HEAL),
    _member("healed", "sleeps-through-a-heal", "usec_min(h->not_before, usec_add(h->over_at, HEAL_PAUSE_URGENT_USEC))",
            "h->not_before", "wakes-to-heal", HEAL),
    # ---- waking up ----
    _member("clock", "starts-unwatched", "return usec_min(m->term.deadline, m->poll_at);", "return m->poll_at;",
            "wakes-by-the-deadline"),
    _member("clock", "ends-unwatched", "return usec_add(m->end_sent_at, END_AGAIN_USEC);",
            "return usec_add(m->end_sent_at, STOP_FALLBACK_USEC);", "wakes-while-ending"),
    _member("send", "asks-no-more", "in every tick from here on */\n        m->due = usec_add(event->now, member_limit(m) / RETRY_PART);",
            "in every tick from here on */\n        m->due = USEC_INFINITY;", "asks-in-time"),
    _member("clock", "no-limit-to-speak-of", "usec_max(duration, BUDGET_RENEW_MIN_USEC) / BUDGET_TRIES",
            "duration / BUDGET_TRIES", "asks-within-limits", INTERVALS),
    # ---- what C itself forbids ----
    _member("clock", "failed-starts-wrap", " && m->failed_starts < UINT_MAX", "", "member-no-undefined-behaviour", MOVES),
    _member("reply-leading", "times-of-any-size", " || reply->arbiter_time > TIME_MAX", "",
            "member-no-undefined-behaviour", PAUSE),
    _member("reply-standby", "granted-without-a-record", "(reply->has_record && granted_fits(q, owner, reply))",
            "granted_fits(q, owner, reply)", "member-assertions-hold", RECORD),
    # ---- what the whole rests on, besides ----
    _member("host", "ends-what-it-never-saw",
            "        m->term.number = host->keeper_term;\n",
            "        m->term.number = host->keeper_term + 1;\n",
            "end-of-a-term-that-was-known", STANDBY),
    # ---- a lease that changes ----
    _budget("covering-forgets-the-keepers-k", BUDGET, "spent + usec_max(budget_kill(lease), kill)",
            "spent + budget_kill(lease)", "covers"),
    _budget("room-without-stop", BUDGET, "usec_t spent = duration + BUDGET_SLACK_USEC + stop;\n\n    return",
            "usec_t spent = duration + BUDGET_SLACK_USEC;\n\n    return", "room"),
    _member("send", "shorter-at-once", "usec_t duration = usec_max(configured->duration, usec_sub(c->until, t0));",
            "usec_t duration = configured->duration;", "renew-covers-the-keeper", COVER),
    _member("send", "longer-k-forgotten", "budget_kill(usec_max(c->kept, c->lease))", "budget_kill(c->lease)",
            "renew-covers-the-keeper", COVER),
    _member("send", "confirmed-with-the-configured-lease", "if (m->state != MEMBER_CONFIRMING) {", "if (true) {",
            "confirms-with-the-claims-lease", HOLD),
    _member("reply-leading", "longer-at-once", "return !c->fixed && usec_sub(now, c->longer_since) >= c->lease;",
            "return !c->fixed;", "longer-lease-waits-for-one-old-one", COVER),
    _member("reply-leading", "longer-for-an-earlier-version",
            "return !c->fixed && usec_sub(now, c->longer_since) >= c->lease;",
            "return usec_sub(now, c->longer_since) >= c->lease;", "longer-lease-waits-for-one-old-one", COVER),
    _member("reply-leading", "extended-by-the-configured-d",
            "usec_min(usec_min(c->duration, record->duration), configured->duration)", "configured->duration",
            "extend-counts-from-the-send", COVER),
    _member("reply-leading", "extension-not-sent-again",
            "(host->keeper_term == term->number && host->keeper_deadline == term->deadline)",
            "true",
            "extend-is-sent-again", HOLD),
    _member("reply-adopting", "earlier-life-forgotten",
            "        if (m->state == MEMBER_ADOPTING)\n            cover_read(&term->cover, &spans, term->stop, m->sent_at);\n",
            "",
            "invariant-term", HOLD),
    _member("host", "lease-seen-before-it-was-sent", "if (lease != c->lease || deadline != c->until)",
            "if (lease != c->lease)", "invariant-term", COVER),
    # ---- the whole ----
    *(GuardBreak(name, by) for name, by in whole.BREAKS.items()),
]


def some(number, n):
    """n of them for a number, others for the next: after all numbers in a row, all have been."""
    first = number * n
    return [MUTANTS[i % len(MUTANTS)] for i in range(first, first + n)]


def broken_text(m):
    """The file as the break leaves it."""
    with open(os.path.join(SOURCE, "agent", m.file), encoding="utf-8") as f:
        text = f.read()
    if text.count(m.old) != 1:
        raise ToolFailed(f"agent/{m.file} has what it replaces {text.count(m.old)} times instead of once: {m.old!r}")
    return text.replace(m.old, m.new)


def faults(proofs):
    """Why breaks could not be tried, without trying any: their text, their part of the proof, or their property is
    not there."""
    for m in MUTANTS:
        proof = proofs[m.proof]
        if isinstance(m, GuardBreak):
            continue
        if m.part not in dict([*proof.parts, *getattr(proof, "whole", ())]):
            yield f"{m.name}: the proof {m.proof} has no part {m.part}"
        if m.by not in {p.name for p in proof.all_properties()}:
            yield f"{m.name}: there is no property {m.by}"
        try:
            broken_text(m)
        except ToolFailed as e:
            yield f"{m.name}: {e}"


def judge(m, proof):
    """(refuted by the one that names it, what came of it, seconds)."""
    if isinstance(m, GuardBreak):
        return judge_guard(m, proof)
    text = broken_text(m)
    folder = os.path.join(BUILD, "mutants", m.name)
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("base", "election", "keeper"):
        shutil.copytree(os.path.join(SOURCE, "agent", part), os.path.join(folder, part),
                        ignore=shutil.ignore_patterns("meson.build"))
    with open(os.path.join(folder, m.file), "w", encoding="utf-8") as f:
        f.write(text)
    try:
        refuted, seconds = proof.refuted(f"mutants/{m.name}", m.part, m.by)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    others = len(refuted - {m.by})
    if m.by in refuted:
        return True, f"by {m.by}" + (f", and {others} more" if others else ""), seconds
    return False, f"{m.by} still holds; refuted: {', '.join(sorted(refuted)) or 'nothing'}", seconds


def judge_guard(m, proof):
    failed, seconds = proof.broken_by(m.name)
    if failed == set(m.by.split()):
        return True, f"by {', '.join(m.by.split())}, and by nothing else", seconds
    return False, f"{m.by} shall fail; refuted: {', '.join(sorted(failed)) or 'nothing'}", seconds
