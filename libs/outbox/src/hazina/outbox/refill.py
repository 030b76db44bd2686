"""Reading a source's ledger over HTTP, where its stream has lost or dropped what we need."""

import httpx

from hazina.outbox.apply import Source
from hazina.outbox.subscription import Message

PAGE_MAX = 500
TIMEOUT_S = 10


async def page(source: Source, shard: int, after: int) -> list[Message]:
    """Give at most 500 facts after number `after`; raises httpx.HTTPError."""
    assert source.internal_url
    url = httpx.URL(source.internal_url)
    # Taken out of the address, which httpx writes into logs and errors.
    auth = (url.username, url.password) if url.password else None
    base = url.copy_with(username=None, password=None)
    async with httpx.AsyncClient(base_url=base, timeout=TIMEOUT_S, auth=auth) as http:
        answer = await http.get(
            f"/internal/outbox/{shard}", params={"after": after, "limit": PAGE_MAX}
        )
        answer.raise_for_status()
    return [
        Message(seq=entry["seq"], headers=entry["headers"], payload=entry["payload"].encode())
        for entry in answer.json()["data"]
    ]
