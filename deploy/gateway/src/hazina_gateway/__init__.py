"""The gateway: Envoy's whole configuration, rendered from `deploy/gateway/routes.yaml`."""

from hazina_gateway.render import dump, render

__all__ = ["dump", "render"]
