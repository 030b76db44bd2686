"""How a caller names accounts and amounts, and whose money they may move."""

from collections.abc import Iterable, Mapping
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hazina.auth import Caller
from hazina.auth.permissions import allowed
from hazina.chassis import Wire
from hazina.money import AMOUNT_MAX
from ledger.account.actions import Directory
from ledger.account.rules import (
    Account,
    AccountUnknown,
    Mover,
    OwnerType,
    OwnerUnknown,
    Purpose,
    can_be,
)

REFERENCE_LENGTH_MAX = 255
ASSET_LENGTH_MAX = 16
WRITE = "ledger:write"  # the scope with which another service moves money

Amount = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
AssetCode = Annotated[str, Field(min_length=1, max_length=ASSET_LENGTH_MAX)]
Reference = Annotated[str, Field(min_length=1, max_length=REFERENCE_LENGTH_MAX)]


class AccountName(Wire):
    """Whose account, and which of theirs: `available` unless said."""

    owner_type: OwnerType
    owner_id: UUID | None = None
    dao_id: UUID | None = None
    purpose: Purpose = Purpose.AVAILABLE


def mover_of(caller: Caller) -> Mover:
    """Say whose money a caller may move. A service needs the scope, or it is `Forbidden`."""
    if caller.service is not None:
        caller.require_scope(WRITE)
        return Mover(None, trusted=True)
    owner = allowed(caller.org_role, "ledger.move")
    staff = caller.actor.role != "user"
    return Mover(caller.user_id, caller.org_id if owner else None, trusted=staff)


async def account_named(name: UUID | AccountName, asset: str, directory: Directory) -> Account:
    """Give the account that is meant. Raises `AccountUnknown`, `OwnerUnknown`."""
    return meant(name, asset, await accounts_by_id([name], directory))


async def accounts_by_id(
    names: Iterable[UUID | AccountName], directory: Directory
) -> dict[UUID, Account]:
    """Look up, in one go, every account that is named by its id."""
    wanted = {name for name in names if isinstance(name, UUID)}
    return await directory.find(wanted) if wanted else {}


def meant(name: UUID | AccountName, asset: str, known: Mapping[UUID, Account]) -> Account:
    """Give the account that is meant, among the known. Raises as `account_named` does."""
    if isinstance(name, UUID):
        account = known.get(name)
        if account is None or account.asset != asset:
            raise AccountUnknown
        return account
    if not can_be(name.owner_type, name.owner_id, name.purpose):
        raise OwnerUnknown(owner_type=name.owner_type, owner_id=name.owner_id)
    return Account(name.owner_type, name.owner_id, asset, name.purpose, name.dao_id)
