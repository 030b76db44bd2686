"""The whole of Envoy's configuration, put together: the only module that knows every part."""

from collections.abc import Mapping
from typing import Any

import yaml

from hazina_gateway import clusters, filters, replies, routes, table
from hazina_gateway.clusters import Address

CONNECTIONS_MAX = 50_000
HEAP_MAX_BYTES = 1 << 30
HEADERS_MAX_KIB = 32
NOBODY = {"address_prefix": "255.255.255.255", "prefix_len": 32}
TYPE = "type.googleapis.com/envoy.extensions."
RUNTIME = {"tracing.opentelemetry.flush_interval_ms": 500}  # a trace is looked at while it is news


def render(
    *,
    services: Mapping[str, Address],
    listen: Address,
    issuer: str,
    admin: Address | None = None,
    audience: str = "hazina",
    jwks_service: str = "identity",
    otlp: Address | None = None,
    dev: Address | None = None,
    development: bool | None = None,
    rates: str = "",
    trusted_hops: int = 0,
) -> dict[str, Any]:
    """Render the configuration for services at these addresses.

    `dev` is the laptop's own pages; `development` adds the rows marked so (default: with `dev`).
    `rates` changes rate classes as HAZINA_GATEWAY_RATES would. `trusted_hops` is the number of
    proxies before us whose X-Forwarded-For is believed. Without `otlp` nothing is traced.
    """
    rows = table.read().with_rates(rates)
    if not (development if development is not None else dev is not None):
        rows = rows.without_development()
    if dev is None:
        kept = tuple(route for route in rows.routes if route.service != "dev")
        rows = table.Table(rates=rows.rates, routes=kept)
    missing = {route.service for route in rows.routes} - {*services, "dev"}
    assert not missing, f"no address given for {', '.join(sorted(missing))}"

    known = [clusters.cluster(name, at, probe="/readyz") for name, at in services.items()]
    known += [clusters.cluster("dev", dev)] if dev else []
    known += [clusters.cluster("collector", otlp)] if otlp else []
    manager = _connection_manager(rows, otlp, trusted_hops) | {
        "http_filters": filters.http_filters(
            rows, issuer=issuer, audience=audience, jwks_service=jwks_service
        )
    }
    config: dict[str, Any] = {
        "node": {"id": "gateway", "cluster": "hazina"},
        "static_resources": {"listeners": [_listener(listen, manager)], "clusters": known},
        "overload_manager": _overload(),
        "layered_runtime": {"layers": [{"name": "ours", "static_layer": RUNTIME}]},
    }
    return config | ({"admin": {"address": clusters.socket(*admin)}} if admin else {})


def dump(config: Mapping[str, Any]) -> str:
    """Write a rendered configuration as the YAML that Envoy reads."""
    return yaml.safe_dump(dict(config), sort_keys=False, width=100)


def _listener(listen: Address, manager: dict[str, Any]) -> dict[str, Any]:
    kind = TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager"
    connection = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {"@type": kind, **manager},
    }
    return {
        "name": "public",
        "address": clusters.socket(*listen),
        "per_connection_buffer_limit_bytes": 256 * 1024,
        "filter_chains": [{"filters": [connection]}],
    }


def _connection_manager(rows: table.Table, otlp: Address | None, hops: int) -> dict[str, Any]:
    manager: dict[str, Any] = {
        "stat_prefix": "public",
        "codec_type": "AUTO",
        "server_header_transformation": "PASS_THROUGH",
        # Who is calling: the socket's other end, whatever the caller writes in its headers.
        "use_remote_address": True,
        "xff_num_trusted_hops": hops,
        "internal_address_config": {"cidr_ranges": [NOBODY]},  # nobody is let off any rule
        "early_header_mutation_extensions": [filters.internal_headers_off()],
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        # One spelling for each path, before any rule looks at it.
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "stream_idle_timeout": "60s",
        "request_headers_timeout": "10s",
        "max_request_headers_kb": HEADERS_MAX_KIB,
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "max_headers_count": 100,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
        "upgrade_configs": [{"upgrade_type": "websocket", "enabled": False}],
        "local_reply_config": replies.local_replies(),
        "access_log": [_access_log()],
        "route_config": {"name": "public", "virtual_hosts": [routes.virtual_host(rows)]},
    }
    return manager | ({"tracing": _tracing()} if otlp else {})


def _tracing() -> dict[str, Any]:
    config = {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "service_name": "gateway",
        "http_service": {
            "http_uri": {
                "uri": "http://collector/v1/traces",
                "cluster": "collector",
                "timeout": "1s",
            }
        },
    }
    return {
        "spawn_upstream_span": True,
        "random_sampling": {"value": 100},
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": config},
    }


def _access_log() -> dict[str, Any]:
    """One JSON line a request: no query, no address, no token; health checks left out."""
    line = {
        "time": "%START_TIME%",
        "service": "gateway",
        "event": "request",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        "why": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "received_bytes": "%BYTES_RECEIVED%",
        "sent_bytes": "%BYTES_SENT%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "to": "%UPSTREAM_CLUSTER%",
        "user_id": "%REQ(X-USER-ID)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "trace_id": "%TRACE_ID%",
    }
    health = {"name": ":path", "string_match": {"exact": "/healthz"}, "invert_match": True}
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {"header_filter": {"header": health}},
        "typed_config": {
            "@type": TYPE + "access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": line},
        },
    }


def _overload() -> dict[str, Any]:
    """Refuse before falling over: a ceiling on connections, and on memory in two steps."""
    monitor = "type.googleapis.com/envoy.extensions.resource_monitors."
    heap = "envoy.resource_monitors.fixed_heap"

    def at(share: float) -> list[dict[str, Any]]:
        return [{"name": heap, "threshold": {"value": share}}]

    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": heap,
                "typed_config": {
                    "@type": monitor + "fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": HEAP_MAX_BYTES,
                },
            },
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": monitor + "downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": CONNECTIONS_MAX,
                },
            },
        ],
        "actions": [
            {"name": "envoy.overload_actions.shrink_heap", "triggers": at(0.90)},
            {"name": "envoy.overload_actions.stop_accepting_requests", "triggers": at(0.95)},
        ],
    }
