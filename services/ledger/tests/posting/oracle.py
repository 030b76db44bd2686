"""What post_batch promises, said again in plain Python: one posting after the other."""

from dataclasses import dataclass, field
from uuid import UUID

from ledger.posting.rules import Posting


@dataclass
class Balance:
    posted: int = 0
    held: int = 0
    floor: int = 0
    ceiling: int = 2**53 - 1
    flags: int = 0
    seq: int = 0


@dataclass
class Told:
    """An answer: refused with a code, or posted with what each leg left behind."""

    code: str | None = None
    facts: dict[str, object] = field(default_factory=dict)
    seqs: tuple[int, ...] = ()
    balances_after: tuple[int, ...] = ()


@dataclass
class Oracle:
    balances: dict[UUID, Balance] = field(default_factory=dict)
    answers: dict[UUID, tuple[bytes, Told]] = field(default_factory=dict)

    def post(self, posting: Posting) -> Told | bytes:
        """Answer as the book must; bytes: the key was used for this other request."""
        if posting.attempt.key in self.answers:
            asked, told = self.answers[posting.attempt.key]
            return told if asked == posting.attempt.request_hash else asked
        told = self._decide(posting)
        if told.code is None:
            told = self._apply(posting)
        self.answers[posting.attempt.key] = (posting.attempt.request_hash, told)
        return told

    def _decide(self, posting: Posting) -> Told:
        for leg in posting.legs:
            balance = self.balances.get(leg.account.id)
            account: dict[str, object] = {"account_id": str(leg.account.id)}
            if balance is None:
                return Told("account.unknown", account)
            spends, gets = leg.amount - leg.hold < 0, leg.amount > 0
            if balance.flags & 8:
                return Told("account.closed", account)
            frozen = (spends and balance.flags & 18) or (gets and balance.flags & 36)
            if frozen and not posting.force:
                return Told("account.frozen", account)
            left = balance.posted - balance.held - balance.floor
            if spends and left + leg.amount - leg.hold < 0:
                wanted = {"available": left, "needed": leg.hold - leg.amount}
                return Told("account.insufficient_funds", account | wanted)
            if gets and balance.posted + leg.amount > balance.ceiling:
                return Told("account.limit_exceeded", account | {"ceiling": balance.ceiling})
        return Told()

    def _apply(self, posting: Posting) -> Told:
        seqs, after = [], []
        for leg in posting.legs:
            balance = self.balances[leg.account.id]
            balance.posted += leg.amount
            balance.held += leg.hold
            if leg.amount:
                balance.seq += 1
                seqs.append(balance.seq)
                after.append(balance.posted)
        return Told(seqs=tuple(seqs), balances_after=tuple(after))
