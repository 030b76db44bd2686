"""Accounts over HTTP: what is held now, what was held, and how it came to be."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, Field
from sqlalchemy import Row

from hazina.auth import Forbidden, Signed, StepUpRequired
from hazina.chassis import (
    Db,
    IfMatch,
    Now,
    Page,
    Paged,
    PreconditionFailed,
    Wire,
    etag,
    refuses,
)
from hazina.money import BALANCE_MAX
from ledger import statements
from ledger.account import actions, rules, store
from ledger.account.rules import (
    AccountUnknown,
    BalanceInFuture,
    Change,
    Frozen,
    LimitExceeded,
    OwnerType,
    ProfileUnknown,
    Purpose,
)

router = APIRouter(prefix="/ledger/v1", tags=["account"])

SEQ_MAX = 2**63 - 1
STATEMENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One line an entry.",
        "content": {
            media_type: {"schema": {"type": "string"}}
            for media_type in statements.MEDIA_TYPES.values()
        },
    }
}


class AccountRead(Wire):
    """An account and what it holds, in minor units of its asset."""

    id: UUID
    owner_type: OwnerType
    owner_id: UUID | None
    dao_id: UUID | None
    asset: str
    purpose: Purpose
    posted: int
    held: int
    available: int
    floor: int
    ceiling: int
    frozen: Frozen
    seq: int
    updated_at: datetime


Limit = Annotated[int, Field(ge=-BALANCE_MAX, le=BALANCE_MAX)]


class AccountUpdate(Wire):
    """What to change; what is not named stays."""

    floor: Limit | None = None
    ceiling: Limit | None = None
    frozen: Frozen | None = None


class BalanceRead(Wire):
    """What an account held at one time, after which entry."""

    account_id: UUID
    asset: str
    posted: int
    seq: int
    at: datetime


class EntryRead(Wire):
    """One account's part of a transaction."""

    seq: int
    created_at: datetime
    kind: str
    transaction_id: UUID
    reference: str | None
    amount: int
    balance_after: int


class UserBalanceRead(Wire):
    """What a member holds in one currency, in one organisation or (null) on their own."""

    user_id: UUID
    dao_id: UUID | None
    currency: str
    available_balance: int
    pending_balance: int
    locked_balance: int
    total_balance: int
    last_updated: datetime


class ProfileRead(Wire):
    """A user's coins, what they earned, what they owe, and their totals."""

    id: UUID
    coin_balance: int
    earnings_balance: int
    coin_debt: int
    total_purchased: int
    total_spent: int
    total_gifts_received: int
    total_gifts_sent: int


def _shown(row: Row[Any]) -> AccountRead:
    columns = row._asdict()
    flags = columns.pop("flags")
    return AccountRead.model_validate(columns | {"frozen": rules.frozen(flags)})


@router.get("/accounts")
async def list_accounts(
    caller: Signed,
    db: Db,
    paging: Paged,
    *,
    asset: str | None = None,
    purpose: Purpose | None = None,
    owner_type: OwnerType | None = None,
    owner_id: UUID | None = None,
) -> Page[AccountRead]:
    """List the accounts that the caller may read, and what each holds."""
    (after,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        rows = await store.list_accounts(
            tx,
            after=after,
            limit=paging.fetch,
            asset=asset,
            purpose=purpose,
            owner_type=owner_type,
            owner_id=owner_id,
        )
    return paging.page([_shown(row) for row in rows], key=lambda a: (a.id,), shape=AccountRead)


@router.get("/accounts/{account_id}", responses=refuses(AccountUnknown))
async def get_account(account_id: UUID, caller: Signed, db: Db, response: Response) -> AccountRead:
    """Show an account and what it holds. Its ETag is the number of its last entry."""
    async with db.reading(caller.actor) as tx:
        row = await store.read_account(tx, account_id)
    response.headers["ETag"] = etag(row.seq)
    return _shown(row)


@router.patch(
    "/accounts/{account_id}",
    responses=refuses(
        *(Forbidden, StepUpRequired, AccountUnknown, PreconditionFailed, LimitExceeded)
    ),
)
async def patch_account(
    account_id: UUID, ask: AccountUpdate, caller: Signed, match: IfMatch, db: Db
) -> AccountRead:
    """Give an account other limits, or freeze it: staff's to do."""
    caller.require_staff()
    change = Change(ask.floor, ask.ceiling, ask.frozen)
    await actions.set_limits(db, account_id, change, match)
    async with db.reading(caller.actor) as tx:
        return _shown(await store.read_account(tx, account_id))


@router.get("/accounts/{account_id}/balance", responses=refuses(AccountUnknown, BalanceInFuture))
async def get_balance(
    account_id: UUID, caller: Signed, db: Db, now: Now, at: AwareDatetime | None = None
) -> BalanceRead:
    """Show what an account held at a time; now, unless said."""
    if at is not None and at > now:
        raise BalanceInFuture
    async with db.reading(caller.actor) as tx:
        row = await store.read_account(tx, account_id)
        if at is None:
            held = (row.posted, row.seq)
        else:
            seq = await store.read_seq_at(tx, account_id, at)
            held = (await store.read_balance_after(tx, account_id, seq), seq)
    posted, seq = held
    return BalanceRead(account_id=account_id, asset=row.asset, posted=posted, seq=seq, at=at or now)


@router.get("/accounts/{account_id}/entries", responses=refuses(AccountUnknown))
async def list_entries(
    account_id: UUID,
    caller: Signed,
    db: Db,
    paging: Paged,
    *,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
) -> Page[EntryRead]:
    """List an account's entries, newest first: those at `from` and later, and before `to`."""
    (before,) = paging.after(int) or (SEQ_MAX,)
    async with db.reading(caller.actor) as tx:
        await store.read_account(tx, account_id)
        after = 0 if since is None else await store.read_seq_before(tx, account_id, since)
        if until is not None:
            before = min(before, 1 + await store.read_seq_before(tx, account_id, until))
        rows = await store.list_entries(
            tx, account_id, after=after, before=before, limit=paging.fetch
        )
    return paging.page(rows, key=lambda row: (row.seq,), shape=EntryRead)


@router.get(
    "/accounts/{account_id}/statement",
    response_class=StreamingResponse,
    responses=refuses(AccountUnknown) | STATEMENT,
)
async def get_statement(
    account_id: UUID,
    caller: Signed,
    db: Db,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    *,
    format: Literal["csv", "jsonl"] = "csv",
) -> StreamingResponse:
    """Write an account's statement, of any length: opening, entries oldest first, closing."""
    period = await actions.statement_period(db, caller.actor, account_id, since, until)
    lines = actions.statement(db, caller.actor, period)
    written = statements.WRITERS[format](lines)
    return StreamingResponse(written, media_type=statements.MEDIA_TYPES[format])


@router.get("/user-balances")
async def list_user_balances(
    caller: Signed, db: Db, paging: Paged, currency: str | None = None, dao_id: UUID | None = None
) -> Page[UserBalanceRead]:
    """List what members hold: the caller's own, or everybody's for staff."""
    after = paging.after(UUID, UUID, str) or (store.FIRST, store.FIRST, "")
    user_id, dao_after, currency_after = after
    async with db.reading(caller.actor) as tx:
        rows = await store.list_user_balances(
            tx,
            currency=currency,
            dao_id=dao_id,
            after=(user_id, dao_after, currency_after),
            limit=paging.fetch,
        )
    return paging.page(
        rows,
        key=lambda row: (row.user_id, row.dao_id or store.FIRST, row.currency),
        shape=UserBalanceRead,
    )


@router.get("/profiles/{user_id}", responses=refuses(ProfileUnknown))
async def get_profile(user_id: UUID | Literal["me"], caller: Signed, db: Db) -> ProfileRead:
    """Show a user's coins, earnings, debt and totals; `me` is the caller."""
    id = caller.require_user() if user_id == "me" else user_id
    async with db.reading(caller.actor) as tx:
        return ProfileRead.of(await store.read_profile(tx, id))
