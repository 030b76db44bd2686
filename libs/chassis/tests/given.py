"""A service of a few routes that do what the tests need, and no database."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import psycopg
from fastapi import APIRouter, Request
from pydantic import Field, SecretStr
from sqlalchemy import MetaData

from hazina.chassis import (
    BULK_BODY_BYTES_MAX,
    Db,
    Now,
    Page,
    Paged,
    Service,
    ServiceSettings,
    Wire,
    refuses,
)
from hazina.pg import Database
from hazina.problems import Kind, Problem

router = APIRouter(prefix="/given/v1")


class Empty(Problem, code="given.empty", kind=Kind.SPENT):
    """There is nothing left."""


class Colour(StrEnum):
    RED = "red"


class Part(Wire):
    amount: Annotated[int, Field(ge=1, le=10)]


class Ask(Wire):
    id: UUID
    at: datetime
    on: bool
    parts: tuple[Part, ...] = ()
    colour: Colour = Colour.RED


class Word(Wire):
    word: str


@router.post("/asks")
async def post_ask(ask: Ask) -> Ask:
    return ask


@router.post("/bulk", max_body_size=BULK_BODY_BYTES_MAX)
async def post_bulk(request: Request) -> Word:
    return Word(word=str(len(await request.body())))


@router.put("/words/{word}")
async def put_word(word: str, q: str = "") -> Word:
    return Word(word=word + q)


@router.get("/words/{word}")
async def get_word(word: str) -> Word:
    return Word(word=word)


@router.get("/words")
async def get_words(paged: Paged) -> Page[Word]:
    (after,) = paged.after(str) or ("",)
    words = [Word(word=letter) for letter in "abcde" if letter > after][: paged.fetch]
    return paged.page(words, key=lambda one: (one.word,), shape=Word)


@router.post("/empty", responses=refuses(Empty))
async def post_empty(now: Now) -> None:
    raise Empty("come back later", retry_after_s=7, since=now.isoformat())


@router.get("/rows")
async def get_rows(db: Db) -> None:
    async with db.transaction():
        pass


@router.get("/bug")
async def get_bug() -> None:
    secret = "a secret"
    raise RuntimeError(secret)


@router.get("/crossing")
async def get_crossing() -> None:
    raise psycopg.errors.DeadlockDetected("somebody else was chosen to live")


def service() -> Service:
    return Service(
        name="given",
        title="Given",
        settings=ServiceSettings(database_url=SecretStr("unused")),
        db=Database("postgresql://nobody@127.0.0.1:1/nothing"),
        migrations=Path(__file__).parent,
        metadata=MetaData(),
        routers=[router],
    )
