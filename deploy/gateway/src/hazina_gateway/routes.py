"""From the route table to Envoy's routes: size limits first, then each row, then 404."""

from typing import Any

from hazina_gateway.table import Route, Table

MIB = 1024 * 1024
INT64_MAX = 2**63 - 1
RETRIES = 2


def virtual_host(table: Table, *, public: str = "public") -> dict[str, Any]:
    """List every route in the order in which Envoy tries them, ending with 404 for the rest.

    A body's size is judged by its Content-Length, so nothing is held in memory to count it.
    """
    bulk = [route for route in table.routes if route.body_mib > 1]
    usual = [route for route in table.routes if route.body_mib == 1]
    return {
        "name": "hazina",
        "domains": ["*"],
        "include_request_attempt_count": False,
        "routes": [
            _answer({"path": "/healthz"}, 200, '{"status":"ok"}', public),
            *(_answer(_larger(_match(route), route.body_mib), 413, "", public) for route in bulk),
            *map(_route, bulk),
            _answer(_larger({"prefix": "/"}, 1), 413, "", public),
            *map(_route, usual),
            _answer({"prefix": "/"}, 404, "", public),
        ],
    }


def _match(route: Route) -> dict[str, Any]:
    where = {"path": route.path} if route.path else {"path_separated_prefix": route.prefix}
    if not route.methods:
        return where
    methods = [*route.methods, *(["HEAD"] if "GET" in route.methods else [])]
    header = {"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(methods)}}}
    return {**where, "headers": [header]}


def _larger(match: dict[str, Any], mib: int) -> dict[str, Any]:
    size = {"name": "content-length", "range_match": {"start": mib * MIB + 1, "end": INT64_MAX}}
    return {**match, "headers": [*match.get("headers", []), size]}


def _answer(match: dict[str, Any], status: int, body: str, rate: str) -> dict[str, Any]:
    direct: dict[str, Any] = {"status": status}
    if body:
        direct["body"] = {"inline_string": body}
    return {"match": match, "direct_response": direct, **_rules("public", rate)}


def _route(route: Route) -> dict[str, Any]:
    action: dict[str, Any] = {
        "cluster": route.service,
        "timeout": f"{route.timeout_s}s",
        "retry_policy": {
            # Only what surely never reached the service: money may have moved otherwise.
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": RETRIES,
            "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        },
    }
    if route.websocket:
        action["timeout"] = action["idle_timeout"] = "0s"
        action["upgrade_configs"] = [{"upgrade_type": "websocket"}]
        action["priority"] = "HIGH"  # sockets live long: their own circuit breaker, see clusters
        del action["retry_policy"]
    return {
        "match": _match(route),
        "route": action,
        **_rules(route.access, route.rate),
    }


def _rules(access: str, rate: str) -> dict[str, Any]:
    """Say on the route itself whether a token is asked for and which rate class counts it."""
    token = {"disabled": True} if access == "public" else {"requirement_name": "token"}
    kind = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig"
    return {
        "metadata": {"filter_metadata": {"hazina": {"rate": rate}}},
        "typed_per_filter_config": {"envoy.filters.http.jwt_authn": {"@type": kind, **token}},
    }
