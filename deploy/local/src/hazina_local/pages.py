"""The laptop's own pages: traces and mails, as plain HTML without a script."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from hazina_local.mail import Mail
from hazina_local.traces.store import Summary
from hazina_local.traces.waterfall import Row, Waterfall

STYLE = (Path(__file__).parent / "pages.css").read_text()


def page(title: str, body: str) -> str:
    """Wrap a body as a whole page."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(title)} · Hazina</title>"
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        '<header><b>Hazina</b><a href="/_dev/traces">traces</a>'
        '<a href="/_dev/mail">mail</a></header>'
        f"<main>{body}</main></html>"
    )


def traces(found: Sequence[Summary]) -> str:
    """List traces of the last hour."""
    rows = "".join(
        f'<tr><td class="dim">{_clock(one.start_ns)}</td>'
        f'<td class="id"><a href="/_dev/traces/{one.trace_id}">{one.trace_id}</a></td>'
        f'<td class="name{" bad" if one.failed else ""}">'
        f"{_service(one.first_service)} {escape(one.first_name)}</td>"
        f'<td class="n">{one.services}</td><td class="n">{one.spans}</td>'
        f'<td class="n">{one.took_ms:.1f} ms</td></tr>'
        for one in found
    )
    columns = ("when", "trace", "begins with", "services", "spans", "took")
    heads = "".join(f"<th>{column}</th>" for column in columns)
    nothing = '<p class="dim">Nothing in the last hour.</p>'
    return page("Traces", f"<table><tr>{heads}</tr>{rows}</table>{'' if found else nothing}")


def trace(trace_id: str, drawn: Waterfall) -> str:
    """Draw one trace as a waterfall, with the waits of its events."""
    rows = "".join(
        f'<tr><td class="name{" bad" if row.span.failed else ""}" '
        f'style="padding-left:{row.depth}rem">'
        f"{_service(row.span.service)} {escape(row.span.title)}</td>"
        f'<td style="width:60%">{_track(row, drawn.total_ms)}</td>'
        f'<td class="n">{row.duration_ms:.1f} ms</td>'
        f'<td class="dim one-line">{_waits(row)}</td></tr>'
        for row in drawn.rows
    )
    key = "".join(
        f'<i class="wait" style="background:var(--{name})"></i>{name} wait'
        for name in ("outbox", "broker", "inbox")
    )
    return page(
        "Trace",
        f'<p><span class="id">{trace_id}</span> <span class="dim">{drawn.total_ms:.1f} ms, '
        f'{len(drawn.rows)} spans</span></p><table>{rows}</table><p class="key dim">{key}</p>',
    )


def mails(found: Sequence[Mail]) -> str:
    """List mails, newest first."""
    rows = "".join(
        f'<tr><td class="dim">{mail.received_at:%H:%M:%S}</td><td>{escape(", ".join(mail.to))}</td>'
        f'<td><a href="/_dev/mail/{mail.number}">{escape(mail.subject or "(no subject)")}</a></td>'
        f'<td class="id">{mail.code or ""}</td></tr>'
        for mail in found
    )
    heads = "".join(f"<th>{head}</th>" for head in ("when", "to", "subject", "code"))
    nothing = '<p class="dim">No mail yet.</p>'
    return page("Mail", f"<table><tr>{heads}</tr>{rows}</table>{'' if found else nothing}")


def mail(one: Mail) -> str:
    """Show one mail. Its HTML is shown as text: a mail's markup is a stranger's."""
    return page(
        one.subject,
        f"<h2>{escape(one.subject)}</h2><p class=dim>to {escape(', '.join(one.to))} · "
        f"from {escape(one.sender)} · {one.received_at:%H:%M:%S}</p>"
        f"<pre>{escape(one.text or one.html)}</pre>",
    )


def _clock(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%H:%M:%S")


def _service(name: str) -> str:
    return f'<b style="color:var(--{escape(name)})">{escape(name)}</b>'


def _track(row: Row, total_ms: float) -> str:
    bars = [(f"var(--{wait.name})", wait.start_ms, wait.duration_ms, "wait") for wait in row.waits]
    bars.append((f"var(--{escape(row.span.service)})", row.start_ms, row.duration_ms, ""))
    total = max(total_ms, 0.001)
    drawn = "".join(
        f'<i class="{kind}" style="background:{colour};left:{max(start, 0) / total:.3%};'
        f'width:{took / total:.3%}"></i>'
        for colour, start, took, kind in bars
    )
    return f'<div class="track">{drawn}</div>'


def _waits(row: Row) -> str:
    return " · ".join(f"{wait.name}&nbsp;{wait.duration_ms:.1f}" for wait in row.waits)
