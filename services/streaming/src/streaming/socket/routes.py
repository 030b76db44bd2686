"""The WebSocket's end: frames in, commands answered in order, frames out."""

import asyncio
from contextlib import suppress

from fastapi import APIRouter
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from hazina.problems import Unavailable
from streaming.socket import rules
from streaming.socket.actions import Connection, Connections, House, take
from streaming.socket.rules import Close, Malformed

router = APIRouter(tags=["socket"])

SOCKETS_MAX = 20_000
SEND_WITHIN_S = 30  # a client that takes nothing for so long is gone, whatever it still says


@router.websocket_route("/streaming/v1/connection/websocket")
async def connect(websocket: WebSocket) -> None:
    """Serve one client until either side closes."""
    state = websocket.app.state
    house: House = state.house
    connections: Connections = state.connections
    if len(connections.all) >= SOCKETS_MAX or not connections.bucket.take(house.monotonic()):
        await websocket.send_denial_response(
            JSONResponse(
                {"code": Unavailable.code, "title": Unavailable.title, "status": 503},
                503,
                {"Retry-After": "1"},
                "application/problem+json",
            )
        )
        return
    await websocket.accept()
    connection = Connection(house, state.verifier)
    connection.start_clock()
    connections.all.add(connection)
    sending = asyncio.create_task(_send(websocket, connection))
    hearing = asyncio.create_task(_hear(websocket, connection))
    try:
        # Closed by us, the client may be silent for ever: its side is not waited for.
        await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        connections.all.discard(connection)
        for task in (sending, hearing):
            task.cancel()
        await asyncio.gather(sending, hearing, return_exceptions=True)
        connection.gone()


async def _send(websocket: WebSocket, connection: Connection) -> None:
    with suppress(WebSocketDisconnect, RuntimeError, OSError):  # a timeout is an OSError
        while (text := await connection.next_frame()) is not None:
            async with asyncio.timeout(SEND_WITHIN_S):
                await websocket.send_text(text)
        assert connection.closing is not None, "nothing more comes only when it is closed"
        await websocket.close(connection.closing.code, connection.closing.reason)


async def _hear(websocket: WebSocket, connection: Connection) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        try:
            frame = message.get("text")
            if frame is None:
                frame = message["bytes"].decode()
            for command in rules.read(frame):
                await take(connection, command)
        except (Malformed, UnicodeError):
            connection.close(Close.BAD_REQUEST)
            await asyncio.sleep(1)  # until what was queued is sent
