"""The WebSocket: Centrifuge's client protocol v2, JSON, several messages a frame."""
