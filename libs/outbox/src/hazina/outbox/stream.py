"""A service's JetStream stream: a cache of its ledger that may lose its tail and be refilled."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client

from hazina import ids
from hazina.outbox import crash
from hazina.outbox.ledger import Entry

MAX_AGE_DAYS = 14
REPLY_WAIT_S = 5
NO_MESSAGE, NO_STREAM, NAME_IN_USE, WRONG_SEQUENCE = 10037, 10059, 10058, 10071


class Refused(Exception):
    """JetStream said no; `code` is its err_code."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('err_code')}: {error.get('description')}")
        self.code = int(error.get("err_code", 0))


@dataclass(frozen=True, slots=True)
class Stored:
    """One message as the stream holds it."""

    seq: int  # the ledger's number
    stream_seq: int
    event_id: str
    subject: str


class Stream:
    """EVT_<SERVICE>, the only stream that a service writes to."""

    def __init__(self, nats: Client, service: str) -> None:
        self.nats = nats
        self.service = service
        self.name = f"EVT_{service.upper()}"
        self.atomic = False

    def subjects(self, shard: int) -> str:
        """Give the filter of one shard."""
        return f"evt.{self.service}.{shard}.>"

    async def ensure(self, shards: int, replicas: int) -> None:
        """Make the stream, or mend its settings, and learn whether it takes atomic batches."""
        wanted = {
            "name": self.name,
            "subjects": [f"evt.{self.service}.>"],
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "max_age": MAX_AGE_DAYS * 86_400 * 1_000_000_000,
            "num_replicas": replicas,
            "allow_atomic": True,
            "deny_delete": True,
            "deny_purge": True,
            "metadata": {"hazina.shards": str(shards)},
        }
        try:
            made = await self.ask(f"STREAM.CREATE.{self.name}", wanted)
        except Refused as no:
            if no.code != NAME_IN_USE:
                raise
            made = await self.ask(f"STREAM.UPDATE.{self.name}", wanted)
        # A server that knows no atomic batches leaves the setting out of its answer.
        self.atomic = bool(made["config"].get("allow_atomic"))

    async def shards(self) -> int:
        """Tell how many shards the stream's writer has; raises Refused while there is no stream."""
        info = await self.ask(f"STREAM.INFO.{self.name}")
        return int(info["config"]["metadata"]["hazina.shards"])

    async def last(self, shard: int) -> Stored | None:
        """Read the newest message of `shard` from the stream's leader."""
        return await self._get({"last_by_subj": self.subjects(shard)})

    async def at(self, stream_seq: int) -> Stored | None:
        """Read the message at one place of the stream."""
        return await self._get({"seq": stream_seq})

    async def append(self, entries: Sequence[Entry], shard: int, expected: int) -> int:
        """Add `entries` if the shard's last message still has stream number `expected`.

        Gives the stream number of the last one. In one atomic batch where the server can; else one
        by one, each with its own compare-and-set. Raises Refused (10071) for a stale writer.
        """
        if self.atomic and len(entries) > 1:
            return await self._append_batch(entries, shard, expected)
        for entry in entries:
            expected = await self._commit(entry, self._compare(shard, expected))
        return expected

    async def ask(self, api: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send one request to JetStream's API; raises Refused when it says no."""
        payload = json.dumps(body).encode() if body is not None else b""
        return await self._request(f"$JS.API.{api}", payload, None)

    async def _append_batch(self, entries: Sequence[Entry], shard: int, expected: int) -> int:
        batch = ids.new().hex
        last = len(entries)
        for number, entry in enumerate(entries, 1):
            extra = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            if number == 1:
                extra |= self._compare(shard, expected)
            if number < last:
                headers = {**entry.headers, **extra}
                await self.nats.publish(entry.subject, entry.payload, headers=headers)
        crash.point("mid-batch")
        return await self._commit(entries[-1], {**extra, "Nats-Batch-Commit": "1"})

    async def _commit(self, entry: Entry, extra: dict[str, str]) -> int:
        answer = await self._request(entry.subject, entry.payload, {**entry.headers, **extra})
        return int(answer["seq"])

    def _compare(self, shard: int, expected: int) -> dict[str, str]:
        return {
            "Nats-Expected-Last-Subject-Sequence": str(expected),
            "Nats-Expected-Last-Subject-Sequence-Subject": self.subjects(shard),
        }

    async def _get(self, body: dict[str, Any]) -> Stored | None:
        try:
            answer = await self.ask(f"STREAM.MSG.GET.{self.name}", body)
        except Refused as no:
            if no.code in {NO_MESSAGE, NO_STREAM}:
                return None
            raise
        message = answer["message"]
        headers = _headers(base64.b64decode(message["hdrs"]))
        return Stored(
            seq=int(headers["Hazina-Seq"]),
            stream_seq=int(message["seq"]),
            event_id=headers["ce-id"],
            subject=message["subject"],
        )

    async def _request(
        self, subject: str, payload: bytes, headers: dict[str, str] | None
    ) -> dict[str, Any]:
        reply = await self.nats.request(subject, payload, REPLY_WAIT_S, headers=headers)
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer


def _headers(raw: bytes) -> dict[str, str]:
    lines = raw.decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines if ": " in line)
