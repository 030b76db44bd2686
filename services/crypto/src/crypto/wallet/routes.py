"""Wallets and handles over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from crypto.wallet import rules, store
from hazina import auth
from hazina.auth import Signed
from hazina.chassis import Db, Page, Paged, Wire, etag, refuses
from hazina.pg import SERVICE

router = APIRouter(prefix="/crypto/v1", tags=["wallet"])

Handle = Annotated[str, Path(min_length=1, max_length=64, description="With or without its @.")]
SIGNED = (auth.TokenInvalid, auth.TokenStale, auth.SessionRevoked, auth.Forbidden)


class WalletRead(Wire):
    """A wallet; `signs_alone` says who can move what is in it without anybody else."""

    id: UUID
    handle: str | None
    wallet_address: str | None
    chain: str
    wallet_type: str
    key_scheme: str
    is_primary: bool
    frozen_at: datetime | None
    frozen_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    signs_alone: Literal["server", "user", "nobody"]
    audited: bool


class HandleRead(Wire):
    """Who is paid under a handle."""

    handle: str
    wallet_id: UUID
    chain: str
    wallet_address: str | None
    wallet_type: str
    display_name: str | None


@router.get("/wallets", responses=refuses(*SIGNED))
async def list_wallets(
    paging: Paged,
    db: Db,
    caller: Signed,
    org_id: Annotated[UUID | None, Query()] = None,
) -> Page[WalletRead]:
    """List the caller's wallets, or those of an organisation that the caller acts in."""
    owner = {"user_id": caller.require_user()} if org_id is None else {"org_id": org_id}
    after = paging.after(UUID)
    async with db.reading(caller.actor) as tx:
        rows = await store.list_wallets(
            tx, owner, after=after[0] if after else None, limit=paging.fetch
        )
    return paging.page([_wallet(row) for row in rows], key=lambda row: (row.id,), shape=WalletRead)


@router.get("/wallets/{wallet_id}", responses=refuses(*SIGNED, rules.WalletUnknown))
async def read_wallet(wallet_id: UUID, response: Response, db: Db, caller: Signed) -> WalletRead:
    """Show one of the caller's wallets."""
    async with db.reading(caller.actor) as tx:
        row = await store.read_wallet(tx, wallet_id)
    response.headers["ETag"] = etag(row.version)
    return _wallet(row)


@router.get("/handles/{handle}", responses=refuses(*SIGNED, rules.HandleUnknown))
async def read_handle(handle: Handle, db: Db, caller: Signed) -> HandleRead:
    """Tell who is paid under a handle, to anybody signed in."""
    caller.require_user()
    async with db.reading(SERVICE) as tx:  # handles are public, wallets are not
        row = await store.read_handle(tx, handle.removeprefix("@").lower())
    return HandleRead(**{name: getattr(row, name) for name in HandleRead.model_fields})


def _wallet(row: Any) -> WalletRead:
    shown = WalletRead.model_fields.keys() - {"signs_alone", "audited"}
    return WalletRead(
        **{name: getattr(row, name) for name in shown},
        signs_alone=rules.SIGNS_ALONE[row.wallet_type],
        audited=False,  # no outsider has looked at our custody yet
    )
