"""How a service starts, listens, stops, reports health, traces and says no."""

from hazina.chassis.bodies import BULK_BODY_BYTES_MAX
from hazina.chassis.openapi import refuses
from hazina.chassis.pages import Page, Paged, Paging
from hazina.chassis.run import main
from hazina.chassis.service import Clock, Db, Now, Service, Timer, asgi, wall_clock
from hazina.chassis.settings import ServiceSettings
from hazina.chassis.versions import IfMatch, Match, PreconditionFailed, etag
from hazina.chassis.wire import INT_MAX, Wire

__all__ = [
    "BULK_BODY_BYTES_MAX",
    "INT_MAX",
    "Clock",
    "Db",
    "IfMatch",
    "Match",
    "Now",
    "Page",
    "Paged",
    "Paging",
    "PreconditionFailed",
    "Service",
    "ServiceSettings",
    "Timer",
    "Wire",
    "asgi",
    "etag",
    "main",
    "refuses",
    "wall_clock",
]
