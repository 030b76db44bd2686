"""The ledger under test: its own database, people with coins, and a way to ask."""

from collections.abc import AsyncIterator

import pytest

from hazina.chassis import Service
from hazina.pg import Database
from hazina.standard import UnderTest
from ledger.account.actions import Directory
from ledger.app import build
from ledger.posting.actions import Book
from ledger.settings import Settings


@pytest.fixture(scope="session")
def under_test() -> UnderTest:
    """The ledger."""
    return UnderTest("ledger", Settings, build)


@pytest.fixture
async def book(db: Database) -> AsyncIterator[Book]:
    """A book of one's own, that gives up on a lost database after five seconds."""
    book = Book(db, reconnect_within_s=5)
    yield book
    await book.close()


@pytest.fixture
def directory(service: Service) -> Directory:
    """The directory of the service under test."""
    found = service.state["directory"]
    assert isinstance(found, Directory)
    return found
