"""What each request passes on its way in: identity headers off, token checked, rate counted."""

from typing import Any

from hazina_gateway.table import Rate, Table

TYPE = "type.googleapis.com/envoy.extensions."

# What services may know of a verified caller, by the claim it comes from.
CLAIM_OF = {
    "x-user-id": "sub",
    "x-session-id": "sid",
    "x-org-id": "org.id",
    "x-org-role": "org.role",
    "x-aal": "aal",
}
TRACE_ID = "x-trace-id"
CLOCK_SKEW_S = 5
CALLERS_REMEMBERED = 50_000  # Envoy's own default is 20: the 21st user would free the 1st
FILL_INTERVAL_MS = 100
MESSAGE_OF = {
    "header_mutation": "HeaderMutation",
    "jwt_authn": "JwtAuthentication",
    "local_ratelimit": "LocalRateLimit",
    "router": "Router",
}


def internal_headers_off() -> dict[str, Any]:
    """Take off every request, before a route is chosen, what only we may say.

    These are the caller's identity, the trace id that refusals show, and Envoy's own orders
    (`x-envoy-max-retries` and its kin), which a caller could use to have a payment repeated.
    """
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": TYPE + "http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [
                *({"remove": name} for name in (*CLAIM_OF, TRACE_ID)),
                {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}},
            ],
        },
    }


def http_filters(table: Table, *, issuer: str, audience: str, jwks_service: str) -> list[Any]:
    """List the filters in the order in which a request passes them.

    API keys join here with identity's issue: an ext_authz filter before `jwt_authn` that
    exchanges a key for a token at identity. Until then a key is a missing token: 401.
    """
    return [
        _named("header_mutation", {"mutations": {"request_mutations": [{"append": _trace_id()}]}}),
        _named("jwt_authn", _jwt(issuer, audience, jwks_service)),
        _named("local_ratelimit", _rate_limit(table)),
        _named("router", {"suppress_envoy_headers": True}),
    ]


def _named(name: str, config: dict[str, Any]) -> dict[str, Any]:
    kind = f"{TYPE}filters.http.{name}.v3.{MESSAGE_OF[name]}"
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": kind, **config}}


def _trace_id() -> dict[str, Any]:
    """Note the trace on the request, where a refusal can read it: its own `%TRACE_ID%` is empty."""
    return {
        "header": {"key": TRACE_ID, "value": "%TRACE_ID%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _jwt(issuer: str, audience: str, jwks_service: str) -> dict[str, Any]:
    provider = {
        "issuer": issuer,
        "audiences": [audience],
        "forward": True,  # services verify it again
        "require_expiration": True,
        "clock_skew_seconds": CLOCK_SKEW_S,
        # Never from the query, where logs and histories would keep it.
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "claim_to_headers": [
            {"header_name": header, "claim_name": claim} for header, claim in CLAIM_OF.items()
        ],
        "jwt_cache_config": {"jwt_cache_size": 10_000},
        "remote_jwks": {
            "http_uri": {
                "uri": f"http://{jwks_service}/.well-known/jwks.json",
                "cluster": jwks_service,
                "timeout": "2s",
            },
            "cache_duration": "600s",
            # The listener opens when the keys are here, so the first caller is not refused.
            "async_fetch": {"fast_listener": False, "failed_refetch_duration": "1s"},
            "retry_policy": {"num_retries": 3},
        },
    }
    return {
        "providers": {"identity": provider},
        "requirement_map": {"token": {"provider_name": "identity"}},
    }


def _rate_limit(table: Table) -> dict[str, Any]:
    """Count each caller in its route's class: a user wherever it is, an address where nobody is."""
    class_of_route = {
        "metadata": {
            "descriptor_key": "class",
            "metadata_key": {"key": "hazina", "path": [{"key": "rate"}]},
            "source": "ROUTE_ENTRY",
        }
    }
    user = {"request_headers": {"header_name": "x-user-id", "descriptor_key": "user"}}
    address: dict[str, Any] = {"remote_address": {}}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return {
        "stat_prefix": "gateway",
        "filter_enabled": always,
        "filter_enforced": always,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "max_dynamic_descriptors": CALLERS_REMEMBERED,
        "always_consume_default_token_bucket": False,
        "token_bucket": _bucket(1_000_000, 1_000_000),
        "rate_limits": [
            {"actions": [class_of_route, user]},
            {"actions": [class_of_route, address]},
        ],
        "descriptors": [_descriptor(name, rate) for name, rate in table.rates.items()],
    }


def _descriptor(name: str, rate: Rate) -> dict[str, Any]:
    key = "user" if rate.by == "user" else "remote_address"
    return {
        "entries": [{"key": "class", "value": name}, {"key": key}],  # no value: one bucket each
        "token_bucket": _bucket(rate.burst, rate.per_second),
    }


def _bucket(burst: int, per_second: int) -> dict[str, Any]:
    fills = 1000 // FILL_INTERVAL_MS
    if per_second % fills:
        return {"max_tokens": burst, "tokens_per_fill": per_second, "fill_interval": "1s"}
    return {
        "max_tokens": burst,
        "tokens_per_fill": per_second // fills,
        "fill_interval": f"{FILL_INTERVAL_MS / 1000}s",
    }
