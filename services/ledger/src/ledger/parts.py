"""The parts of the ledger that a request is served with, as FastAPI finds them."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from ledger.account.actions import Directory
from ledger.posting.actions import Book
from ledger.providers.rails import Rails


def _book(connection: HTTPConnection) -> Book:
    book = connection.app.state.book
    assert isinstance(book, Book)
    return book


def _directory(connection: HTTPConnection) -> Directory:
    directory = connection.app.state.directory
    assert isinstance(directory, Directory)
    return directory


def _rails(connection: HTTPConnection) -> Rails:
    rails = connection.app.state.rails
    assert isinstance(rails, Rails)
    return rails


TheBook = Annotated[Book, Depends(_book)]
TheDirectory = Annotated[Directory, Depends(_directory)]
TheRails = Annotated[Rails, Depends(_rails)]
