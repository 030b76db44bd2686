"""Where the sample service is put together."""

from pathlib import Path

from hazina import outbox
from hazina.chassis import Clock, Service, Timer
from hazina.pg import Database
from hazina.standard.sample import tables
from hazina.standard.sample.note import consumers, jobs, routes
from hazina.standard.sample.settings import Settings


def build(settings: Settings, db: Database, clock: Clock) -> Service:
    """Put the sample service together."""
    return Service(
        name="sample",
        title="Sample",
        settings=settings,
        db=db,
        clock=clock,
        migrations=Path(__file__).parent / "migrations",
        metadata=tables.metadata,
        routers=[routes.router],
        sources=[outbox.Source("sample", {consumers.NoteWritten: consumers.count_notes})],
        timers=[Timer("note_expiry", 3600, jobs.expire_notes)],
        state={"notes_max": settings.notes_max},
    )
