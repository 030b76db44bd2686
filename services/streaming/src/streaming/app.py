"""Where streaming is put together. The only module that knows every part."""

from pathlib import Path
from time import monotonic

from fastapi import FastAPI

from hazina import auth, idempotency
from hazina.chassis import Clock, Service, Timer
from hazina.outbox import Source
from hazina.pg import Database
from streaming import tables
from streaming.box import routes as box
from streaming.cell.actions import Cells, replica_name
from streaming.channel.actions import Hub
from streaming.chat import actions as chats
from streaming.chat import routes as chat
from streaming.chat.actions import Rooms
from streaming.gift import consumers as gifts
from streaming.gift import jobs as boards
from streaming.gift import routes as gift
from streaming.presence import jobs as presence_jobs
from streaming.presence import routes as viewers
from streaming.presence.actions import Presence
from streaming.presence.rules import Pace
from streaming.profile import consumers as people
from streaming.profile import routes as profile
from streaming.settings import Settings
from streaming.socket import consumers as callers
from streaming.socket import routes as socket
from streaming.socket.actions import Connections, House
from streaming.stream import jobs as stream_jobs
from streaming.stream import routes as stream

MIGRATIONS = Path(__file__).parents[2] / "migrations"
DAY_S = 86_400


def build(settings: Settings, db: Database, clock: Clock) -> Service:
    """Give streaming, ready to serve from `db`; nothing runs before the application starts."""
    hub, cells = Hub(), Cells(settings.replica_id or replica_name(), monotonic)
    rooms, connections = Rooms(db, hub), Connections(monotonic())
    presence = Presence(
        db,
        cells=cells,
        hub=hub,
        pace=Pace(
            stale_after_s=settings.stale_after_s,
            closing_s=settings.closing_s,
            linger_s=settings.linger_s,
            warming_s=settings.warming_s,
            warming_max_s=settings.warming_max_s,
        ),
        clock=clock,
        monotonic=monotonic,
        viewers_max=settings.max_concurrent_viewers,
    )
    house = House(
        db=db,
        hub=hub,
        presence=presence,
        rooms=rooms,
        clock=clock,
        monotonic=monotonic,
        ping_every_s=settings.ping_every_s,
        pong_wait_s=settings.pong_wait_s,
    )
    keeping = presence_jobs.Keeping(presence)

    async def start(app: FastAPI) -> None:
        # Cells belong to the processes that hold sockets; one that only relays owns none.
        if app.state.api:
            await keeping.start()

    async def stop(_: FastAPI) -> None:
        await keeping.stop()

    return Service(
        name="streaming",
        title="Streaming",
        settings=settings,
        db=db,
        clock=clock,
        migrations=MIGRATIONS,
        metadata=tables.metadata,
        routers=tuple(m.router for m in (stream, box, viewers, chat, gift, profile, socket)),
        sources=(
            Source(
                "identity",
                {**callers.hears(connections), **people.HEARD_OF_PEOPLE},
                internal_url=settings.identity_internal_url,
            ),
            Source("billing", people.HEARD_OF_LIMITS, internal_url=settings.billing_internal_url),
            Source("ledger", gifts.hears(rooms), internal_url=settings.ledger_internal_url),
        ),
        timers=(
            *stream_jobs.timers(cells),
            *boards.timers(hub),
            Timer("chat_days", DAY_S, chats.prepare_days),
            Timer("auth_prune", DAY_S, auth.prune),
            Timer("idempotency_expire", DAY_S, idempotency.expire),
        ),
        on_start=(start,),
        on_stop=(stop,),
        state={
            "cells": cells,
            "hub": hub,
            "rooms": rooms,
            "presence": presence,
            "connections": connections,
            "house": house,
            "keeping": keeping,
        },
    )
