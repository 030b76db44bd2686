"""Boxes over HTTP: who streams where, and the publish state for those who cannot hold a socket."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from hazina import idempotency
from hazina.auth import Signed
from hazina.chassis import Db, Now, Page, Paged, Wire, refuses
from hazina.idempotency import MayKey
from hazina.pg import SERVICE
from streaming.box import actions, rules, store
from streaming.box.store import BoxRow
from streaming.cell.actions import Cells
from streaming.channel.actions import Hub
from streaming.profile.rules import LimitReached

router = APIRouter(prefix="/streaming/v1", tags=["box"])

WAIT_S_MAX = 25
VERSION_MAX = 10**15  # a number that JSON carries exactly everywhere
Title = Annotated[str, Field(min_length=1, max_length=80)]


class BoxCreate(Wire):
    """Whose camera the box is for, the host's if nobody is named."""

    streamer_id: UUID | None = None
    title: Title | None = None


class BoxUpdate(Wire):
    """What may be changed of a box; its publish state may not, it follows from who watches."""

    title: Title | None = None
    publish_policy: Literal["demand", "paused"] = "demand"


class BoxRead(Wire):
    """A box."""

    id: UUID
    stream_id: UUID
    slot: int
    streamer_id: UUID
    title: str | None
    status: Literal["open", "closed"]
    publish_policy: Literal["demand", "paused"]
    is_published: bool
    publish_version: int
    publish_reason: str | None
    publish_changed_at: datetime
    acked_version: int
    publisher_state: Literal["absent", "ready", "publishing"]
    media_path: str
    viewer_count: int
    version: int
    created_at: datetime


class PublishState(Wire):
    """Whether a box's camera is to run, since when, and whether its publisher obeys."""

    box_id: UUID
    is_published: bool
    version: int
    reason: str | None
    changed_at: datetime
    acked_version: int
    publisher_state: Literal["absent", "ready", "publishing"]
    viewer_count: int


class PublishAck(Wire):
    """Which version the publisher obeys, and how."""

    version: Annotated[int, Field(ge=0, le=VERSION_MAX)]
    state: Literal["publishing", "stopped", "failed"]


class PublishAcked(PublishState):
    """The publish state, and whether the acknowledged version is the newest."""

    in_sync: bool


class Transition(Wire):
    """One change of a box's publish state."""

    version: int
    is_published: bool
    reason: str
    viewers: int
    at: datetime


def state_of(box: BoxRow) -> PublishState:
    """Show a box's publish state."""
    return PublishState(
        box_id=box.id,
        is_published=box.is_published,
        version=box.publish_version,
        reason=box.publish_reason,
        changed_at=box.publish_changed_at,
        acked_version=box.acked_version,
        publisher_state=box.publisher_state,
        viewer_count=box.viewer_count,
    )


@router.post(
    "/streams/{stream_id}/boxes",
    status_code=201,
    responses=refuses(rules.StreamUnknown, rules.StreamNotYours, rules.StreamEnded, LimitReached),
)
async def post_box(
    stream_id: UUID, ask: BoxCreate, caller: Signed, db: Db, *, attempt: MayKey, request: Request
) -> BoxRead:
    """Open a box in the lowest free slot of one's own stream."""
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, BoxRead):
            return done
        made = await actions.add_in(
            tx,
            caller,
            stream_id,
            streamer_id=ask.streamer_id,
            title=ask.title,
            boxes_max=request.app.state.settings.max_boxes_per_stream,
        )
        await idempotency.keep(tx, attempt, BoxRead.of(made))
    return BoxRead.of(made)


@router.get("/boxes/{box_id}", responses=refuses(rules.BoxUnknown))
async def get_box(box_id: UUID, caller: Signed, db: Db) -> BoxRead:
    """Show a box."""
    async with db.reading(caller.actor) as tx:
        return BoxRead.of(await store.read_row(tx, box_id))


@router.patch(
    "/boxes/{box_id}", responses=refuses(rules.BoxUnknown, rules.BoxNotYours, rules.BoxClosed)
)
async def patch_box(
    box_id: UUID, ask: BoxUpdate, caller: Signed, db: Db, *, now: Now, request: Request
) -> BoxRead:
    """Change a box's title, or pause it and let it follow demand again."""
    cells: Cells = request.app.state.cells
    values = ask.model_dump(exclude_unset=True)
    return BoxRead.of(await actions.change(db, cells, caller, box_id, values, now))


@router.delete(
    "/boxes/{box_id}",
    status_code=204,
    responses=refuses(rules.BoxUnknown, rules.BoxNotYours, rules.BoxClosed),
)
async def delete_box(box_id: UUID, caller: Signed, db: Db, now: Now, request: Request) -> Response:
    """Close a box; its camera stops and its viewers are sent away."""
    await actions.close(db, request.app.state.cells, caller, box_id, now)
    return Response(status_code=204)


@router.get("/boxes/{box_id}/publish-state", responses=refuses(rules.BoxUnknown))
async def get_publish_state(
    box_id: UUID,
    caller: Signed,
    db: Db,
    *,
    now: Now,
    request: Request,
    after_version: Annotated[int, Query(ge=-1, le=VERSION_MAX)] = -1,
    wait: Annotated[int, Query(ge=0, le=WAIT_S_MAX, description="Seconds.")] = 0,
) -> PublishState:
    """Show whether the camera is to run, once that is newer than `after_version`."""
    hub: Hub = request.app.state.hub
    async with db.reading(caller.actor) as tx:
        box = await store.read_row(tx, box_id)
    if box.streamer_id == caller.user_id:
        await actions.note_publisher(db, box_id, now)
    if box.publish_version <= after_version and wait:
        # Nothing is held while waiting: neither a connection nor a transaction.
        await hub.wait(f"ctl:{box_id}", wait)
        async with db.reading(caller.actor) as tx:
            box = await store.read_row(tx, box_id)
    return state_of(box)


@router.post(
    "/boxes/{box_id}/publish-ack",
    responses=refuses(rules.BoxUnknown, rules.BoxNotYours, rules.VersionUnknown),
)
async def post_publish_ack(
    box_id: UUID, ask: PublishAck, caller: Signed, db: Db, now: Now
) -> PublishAcked:
    """Say which version the publisher obeys; an older one is taken, and said to be old."""
    made = await actions.acknowledge(
        db, caller, box_id, version=ask.version, state=ask.state, at=now
    )
    return PublishAcked(**state_of(made.box).model_dump(), in_sync=made.in_sync)


@router.get("/boxes/{box_id}/publish-log", responses=refuses(rules.BoxUnknown, rules.BoxNotYours))
async def get_publish_log(box_id: UUID, caller: Signed, db: Db, paging: Paged) -> Page[Transition]:
    """List each change of the publish state with its reason, newest first."""
    before = paging.after(int)
    async with db.reading(caller.actor) as tx:
        box = await store.read_box(tx, box_id)
        rules.allow_reading_log(box, caller.require_user())
        rows = await store.list_log(
            tx, box_id, before=before[0] if before else None, fetch=paging.fetch
        )
    return paging.page(rows, key=lambda row: (row.version,), shape=Transition)
