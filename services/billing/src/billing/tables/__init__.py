"""Every table billing owns, by capability, with one metadata."""

from billing.tables.catalog import (
    entitlement_refreshes,
    meter_event_types,
    meters,
    plan_feature_changes,
    plan_features,
    plans,
    prices,
    products,
)
from billing.tables.entitlement import entitlement_grants, entitlement_snapshots, quota_windows
from billing.tables.metadata import metadata
from billing.tables.subscription import (
    billing_customers,
    org_subscriptions,
    subscription_changes,
)
from billing.tables.usage import quota_reservations, usage_aggregations, usage_events

__all__ = [
    "billing_customers",
    "entitlement_grants",
    "entitlement_refreshes",
    "entitlement_snapshots",
    "metadata",
    "meter_event_types",
    "meters",
    "org_subscriptions",
    "plan_feature_changes",
    "plan_features",
    "plans",
    "prices",
    "products",
    "quota_reservations",
    "quota_windows",
    "subscription_changes",
    "usage_aggregations",
    "usage_events",
]
