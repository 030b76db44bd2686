"""How much Envoy adds to an answer: token checked, rate counted, span sent, against going direct.

Both ways reach the same upstream at the same even rate, in turns; the figure is the difference of
the two p99. The upstream is a bare ASGI function in a process of its own, so it adds little noise.
"""

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey

from benchmarks.report import Bar, percentile, tell
from hazina.embedded import Envoy, free_port
from hazina_gateway import render

BAR = Bar("gateway_overhead", "ms added at p99", target=3, lower_is_better=True)
ROUNDS = 5
RATE_PER_S = 200
SECONDS = 5
CONNECTIONS = 16
ISSUER, AUDIENCE = "https://identity.bench", "hazina"
BODY = b'{"ok":true}'

Message = dict[str, Any]


def upstream(port: int, jwks: bytes) -> None:
    """Answer everything at once: the keys where they are asked for, else a few bytes."""

    async def app(
        scope: Message, receive: object, send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        body = jwks if scope["path"].endswith("jwks.json") else BODY
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(app, port=port, log_level="critical", lifespan="off", http="httptools")


def token(key: ECKey) -> str:
    """Sign an access token as identity would."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 3_000,
        "sub": "00000000-0000-7000-8000-000000000001",
        "sid": "bench",
        "aal": 1,
        "org": {"id": "00000000-0000-7000-8000-000000000002", "role": "owner"},
    }
    header = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
    return jwt.encode(header, claims, key, algorithms=["ES256"])


async def answers(port: int, bearer: str) -> list[float]:
    """Send requests at an even rate; give how long each took in ms, from when it was due."""
    pool: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        pool.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    request = (
        f"GET /ledger/v1/ping HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {bearer}\r\n\r\n"
    ).encode()
    took: list[float] = []

    async def one(due: float) -> None:
        reader, writer = await pool.get()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(len(BODY))
        took.append((time.perf_counter() - due) * 1_000)
        pool.put_nowait((reader, writer))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n in range(RATE_PER_S * SECONDS):
            due = began + n / RATE_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(time.perf_counter()))
    while not pool.empty():
        pool.get_nowait()[1].close()
    return took


def main() -> None:
    """Measure both ways in turns."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    jwks = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
    port, entry = free_port(), free_port()
    server = multiprocessing.get_context("spawn").Process(
        target=upstream, args=(port, jwks), daemon=True
    )
    server.start()
    services = dict.fromkeys(
        ("identity", "billing", "ledger", "crypto", "streaming"), ("127.0.0.1", port)
    )
    config = render(
        services=services,
        listen=("127.0.0.1", entry),
        issuer=ISSUER,
        audience=AUDIENCE,
        otlp=("127.0.0.1", port),
        rates="standard=1000000/1000000",
    )
    rounds = []
    time.sleep(2)  # the upstream must have the keys ready when Envoy asks
    with tempfile.TemporaryDirectory() as folder, Envoy(Path(folder), config):
        bearer = token(key)
        asyncio.run(answers(entry, bearer))  # warm up
        for _ in range(ROUNDS):
            direct = asyncio.run(answers(port, bearer))
            through = asyncio.run(answers(entry, bearer))
            row = {
                "direct p99": percentile(direct, 0.99),
                "through p99": percentile(through, 0.99),
                "direct p50": percentile(direct, 0.5),
                "through p50": percentile(through, 0.5),
            }
            rounds.append({**row, "added p99": row["through p99"] - row["direct p99"]})
    server.terminate()
    server.join()
    tell(
        BAR,
        statistics.median(row["added p99"] for row in rounds),
        baseline={
            "rate_per_s": RATE_PER_S,
            **{k: round(statistics.median(row[k] for row in rounds), 3) for k in rounds[0]},
        },
        rounds=rounds,
    )


if __name__ == "__main__":
    main()
