"""What can be done about the book's truth: prove it."""

from collections.abc import Callable
from datetime import timedelta

from hazina import ids, outbox
from hazina.pg import SERVICE, Database
from ledger.account import actions as accounts
from ledger.audit import rules, store
from ledger.audit.events import CheckFailed, Contradiction
from ledger.audit.rules import Finding, Law, Report
from ledger.audit.store import LAWS

# A transaction that was open when the last proof ran may have an earlier time than the proof.
OVERLAP = timedelta(minutes=5)
TOLD_MAX = 100  # findings that the event names


def _silent(_: Law) -> None:
    """Tell nobody how far the proof is."""


async def check(db: Database, *, full: bool, tell: Callable[[Law], None] = _silent) -> Report:
    """Prove the book: all of it, or what changed since it was last found right.

    `tell` hears each law before it is looked at. Accounts that contradict themselves are frozen,
    the run is kept, operators are told; nothing is ever repaired.
    """
    async with db.reading(SERVICE) as tx:
        last = None if full else await store.find_last_clean(tx)
    since = None if last is None else last - OVERLAP

    findings: list[Finding] = []
    async with store.snapshot(db) as book:
        for law in LAWS:
            tell(law)
            findings += await store.list_findings(book, law, since)
    report = Report(ids.new(), full, tuple(findings))

    async with db.transaction(SERVICE) as tx:
        await store.add_run(tx, report)
        if not report.ok:
            await accounts.freeze_in(tx, rules.to_freeze(report))
            await outbox.publish(tx, _failed(report))
    return report


def _failed(report: Report) -> CheckFailed:
    return CheckFailed(
        check_id=report.id,
        level=report.level,
        findings=tuple(
            Contradiction(level=one.level, says=one.says, account_id=one.account_id)
            for one in report.findings[:TOLD_MAX]
        ),
    )
