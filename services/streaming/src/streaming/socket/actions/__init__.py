"""What happens on a socket: who is there, what they ask, what they are told."""

from streaming.socket.actions.commands import take
from streaming.socket.actions.connection import Connection, Connections, House

__all__ = ["Connection", "Connections", "House", "take"]
