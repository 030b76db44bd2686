"""Whom the gateway talks to, and how much of itself it risks on each."""

import ipaddress
from typing import Any

Address = tuple[str, int]

# uvicorn closes a connection that was silent for 5 s; ours go first, so that no request meets
# a closing one and is lost between the two.
IDLE_S = 4
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def cluster(name: str, address: Address, *, probe: str = "") -> dict[str, Any]:
    """Describe one service: circuit breakers, and for a name behind which many may stand, health.

    HIGH priority is the WebSockets', which hold a connection each for hours: they get breakers
    of their own and cannot starve ordinary requests.
    """
    host, port = address
    named = not _is_ip(host)
    described: dict[str, Any] = {
        "name": name,
        "type": "STRICT_DNS" if named else "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(host, port)}}]}],
        },
        "circuit_breakers": {
            "thresholds": [
                _threshold("DEFAULT", connections=1_024, requests=2_048),
                _threshold("HIGH", connections=20_000, requests=20_000),
            ]
        },
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{HTTP_OPTIONS}",
                "common_http_protocol_options": {"idle_timeout": f"{IDLE_S}s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }
    if named:
        described["dns_lookup_family"] = "V4_PREFERRED"
        described["outlier_detection"] = {
            "consecutive_5xx": 0,
            "enforcing_consecutive_5xx": 0,
            "consecutive_gateway_failure": 5,
            "enforcing_consecutive_gateway_failure": 100,
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        }
    if named and probe:
        described["health_checks"] = [_health(probe)]
    return described


def socket(host: str, port: int) -> dict[str, Any]:
    """Write an address as Envoy wants it."""
    return {"socket_address": {"address": host, "port_value": port}}


def _threshold(priority: str, *, connections: int, requests: int) -> dict[str, Any]:
    return {
        "priority": priority,
        "max_connections": connections,
        "max_pending_requests": 512,
        "max_requests": requests,
        "max_retries": 16,
    }


def _health(path: str) -> dict[str, Any]:
    return {
        "timeout": "1s",
        "interval": "2s",
        "no_traffic_interval": "2s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": path},
    }


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
