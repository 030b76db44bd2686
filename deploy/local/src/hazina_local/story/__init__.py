"""The story that must always work, told through the gateway: HTTP, WebSocket, signed webhooks.

`hazina demo` prints it; `tests-e2e` plays the same steps on other stacks. Nothing here knows a
service's code.
"""

from hazina_local.story.world import World, Wrong, eventually

__all__ = ["World", "Wrong", "eventually"]
