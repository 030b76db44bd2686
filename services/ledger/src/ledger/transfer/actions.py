"""What can be done with transfers: ask for one."""

from uuid import UUID

from hazina import idempotency, ids
from hazina.auth import Forbidden
from hazina.problems import Problem
from ledger.account.actions import Directory
from ledger.account.rules import Mover
from ledger.posting import rules as posting
from ledger.posting.actions import Book, attempt_of
from ledger.posting.rules import Posting, Receipt, What
from ledger.transfer import rules
from ledger.transfer.rules import Line, Order, Transaction


async def transfer(
    book: Book, directory: Directory, mover: Mover, order: Order, *, asked: idempotency.Attempt
) -> Transaction:
    """Move money from one account to another, once per key.

    Raises `SameAccount`, `AssetUnknown`, `AssetNotTransferable`, `Forbidden`, `OwnerUnknown`, and
    per leg `AccountClosed`, `AccountFrozen`, `InsufficientFunds`, `LimitExceeded`.
    """
    attempt = attempt_of(asked)
    try:
        rules.transfer(mover, order, await directory.assets())
        if not rules.may_move(mover, order):
            raise Forbidden
        await directory.ensure(order.payer, order.payee)
    except Problem as problem:
        receipt = await book.refuse(attempt, problem)
    else:
        moves = ((order.payer, -order.amount), (order.payee, order.amount))
        receipt = await book.post(
            Posting(
                id=ids.new(),
                attempt=attempt,
                what=What.TRANSFER,
                legs=posting.legs(moves),
                actor_id=mover.user_id,
                reference=order.reference,
                metadata=order.metadata,
            )
        )
    if receipt.replayed:
        asked.replay()
    return _seen(receipt, mover, order)


def _seen(receipt: Receipt, mover: Mover, order: Order) -> Transaction:
    """Show a receipt as far as the mover may see it."""
    readable: set[UUID] = {
        account.id for account in (order.payer, order.payee) if mover.may_read(account)
    }
    legs = zip(
        receipt.account_ids, receipt.amounts, receipt.balances_after, receipt.seqs, strict=True
    )
    return Transaction(
        id=receipt.id,
        kind=What.TRANSFER,
        asset=order.payer.asset,
        amount=order.amount,
        legs=tuple(
            Line(id, amount, *((after, seq) if id in readable else (None, None)))
            for id, amount, after, seq in legs
        ),
        reference=order.reference,
        metadata=order.metadata,
        reverses=None,
        created_at=receipt.created_at,
    )
