"""Logs as JSON lines: one event a line, with the trace it belongs to."""

import json
import logging
import sys
from datetime import UTC, datetime

from opentelemetry import trace

# What a LogRecord always has; anything else was said with `extra=` and belongs to the event.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
LEVELS = {"WARNING": "warn", "CRITICAL": "fatal"}


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON. The message is the event; `extra` are its facts."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": LEVELS.get(record.levelname, record.levelname.lower()),
            "service": self.service,
            "event": record.getMessage(),
            "logger": record.name,
        }
        found = trace.get_current_span().get_span_context()
        if found.is_valid:
            line["trace_id"] = trace.format_trace_id(found.trace_id)
        line |= {name: fact for name, fact in vars(record).items() if name not in STANDARD}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def start(service: str, level: str) -> None:
    """Send every log line of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "asyncio", "uvicorn.access"):
        logging.getLogger(chatty).setLevel("WARNING")
