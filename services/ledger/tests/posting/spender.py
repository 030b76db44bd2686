"""A process that gives gifts until it is killed, and prints the id of each that was answered."""

import asyncio
import sys
from uuid import UUID

from hazina import ids
from hazina.pg import Database
from ledger.gift import actions
from ledger.gift.rules import GiftType, Wish, give, moves
from ledger.posting.actions import Book, Rows
from ledger.posting.rules import Attempt, Posting, What, legs

CROWD = 30


async def spend(url: str, sender: UUID, recipient: UUID, type: UUID) -> None:
    db = Database(url)
    book = Book(db)
    rose = GiftType(type, "rose", "Rose", 1, 7000, None, True)

    async def one_after_the_other() -> None:
        while True:
            wish = Wish(type, recipient, 3, None, None, None)
            gift = give(sender, wish, rose, id=ids.new())
            posting = Posting(gift.id, Attempt(ids.new()), What.GIFT, legs(moves(gift)))
            receipt = await book.post(posting, Rows(actions.keep, gift))
            sys.stdout.write(f"{receipt.id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(one_after_the_other() for _ in range(CROWD)))


if __name__ == "__main__":
    asyncio.run(spend(sys.argv[1], *(UUID(argument) for argument in sys.argv[2:])))
