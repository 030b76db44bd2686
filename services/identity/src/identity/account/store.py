"""The SQL of accounts. Reads and writes; decides nothing."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from hazina import ids
from hazina.pg import Transaction
from identity.account.rules import Account, AccountUnknown, UsernameTaken
from identity.tables import password_history, passwords, users
from identity.tables.account import TEXTS

HISTORY_KEPT = 5
# A profile as nobody filled it in.
EMPTY: Mapping[str, Any] = dict.fromkeys(
    (*TEXTS, "username", "bio", "billing_address", "payment_method")
) | {"education": [], "work_experience": [], "locale": "en"}


def _accounts() -> Select[Any]:
    return select(
        users.c.id,
        users.c.username,
        users.c.display_name,
        users.c.email,
        users.c.locale,
        users.c.status,
        users.c.version,
        passwords.c.hash.label("password_hash"),
    ).outerjoin(passwords, passwords.c.user_id == users.c.id)


def _account(row: Row[Any] | None) -> Account | None:
    return None if row is None else Account(**row._asdict())


async def lock_by_email(tx: Transaction, email: str) -> Account | None:
    """Read who has an address, and hold them."""
    mine = _accounts().where(users.c.email == email)
    held = mine.with_for_update(of=users, key_share=True)
    return _account((await tx.execute(held)).one_or_none())


async def find_by_identifier(tx: Transaction, identifier: str) -> Account | None:
    """Read who has an address or username."""
    column = users.c.email if "@" in identifier else users.c.username
    return _account((await tx.execute(_accounts().where(column == identifier))).one_or_none())


async def find_holder(tx: Transaction, username: str) -> UUID | None:
    """Read who has a username."""
    found = await tx.execute(select(users.c.id).where(users.c.username == username))
    return found.scalar_one_or_none()


async def add_user(tx: Transaction, values: Mapping[str, Any]) -> bool:
    """Write a new user; False, and nothing written, when their address or username is taken."""
    free = upsert(users).values(dict(values)).on_conflict_do_nothing().returning(users.c.id)
    return (await tx.execute(free)).one_or_none() is not None


async def set_password(
    tx: Transaction, user_id: UUID, *, hash: str, pepper_id: str, chars: int
) -> None:
    """Write a user's password, keeping it in their history too."""
    values = {"hash": hash, "pepper_id": pepper_id, "chars": chars}
    written = upsert(passwords).values(user_id=user_id, **values)
    await tx.execute(written.on_conflict_do_update(index_elements=["user_id"], set_=values))
    history = insert(password_history)
    await tx.execute(history.values(id=ids.new(), user_id=user_id, password_hash=hash))
    newest = (
        select(password_history.c.id)
        .where(password_history.c.user_id == user_id)
        .order_by(password_history.c.id.desc())
        .limit(HISTORY_KEPT)
    )
    older = (password_history.c.user_id == user_id, password_history.c.id.not_in(newest))
    await tx.execute(password_history.delete().where(*older))


async def set_hash(tx: Transaction, user_id: UUID, *, old: str, hash: str) -> None:
    """Replace a hash by one of the same password, unless the password changed meanwhile."""
    mine = (passwords.c.user_id == user_id, passwords.c.hash == old)
    await tx.execute(update(passwords).where(*mine).values(hash=hash))


async def lock_user(tx: Transaction, id: UUID) -> Row[Any]:
    """Read all of a user, and hold them."""
    return await _one(tx, select(users).where(users.c.id == id).with_for_update(key_share=True))


async def read_user(tx: Transaction, id: UUID) -> Row[Any]:
    """Read all of a user."""
    return await _one(tx, select(users).where(users.c.id == id))


async def _one(tx: Transaction, wanted: Select[Any]) -> Row[Any]:
    row: Row[Any] | None = (await tx.execute(wanted)).one_or_none()
    if row is None:
        raise AccountUnknown
    return row


async def set_profile(tx: Transaction, id: UUID, profile: Mapping[str, Any]) -> Row[Any]:
    """Put a new profile in place of the old one, of which nothing stays; raises UsernameTaken."""
    return await set_user(tx, id, {**EMPTY, **profile})


async def set_user(tx: Transaction, id: UUID, values: Mapping[str, Any]) -> Row[Any]:
    """Change a user, raising their version by one; give all of them.

    Raises UsernameTaken when another transaction was a moment faster.
    """
    changed = (
        update(users)
        .where(users.c.id == id)
        .values(**values, version=users.c.version + 1, updated_at=func.clock_timestamp())
        .returning(users)
    )
    try:
        async with tx.begin_nested():
            row: Row[Any] = (await tx.execute(changed)).one()
            return row
    except IntegrityError as taken:
        if "users_username_is_one" in str(taken.orig):
            raise UsernameTaken from taken
        raise
