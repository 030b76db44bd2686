"""What can be done with presence: join, beat, leave; and what the owner does all the time."""

from streaming.presence.actions.presence import Joined, Presence, command_of, joined, state_of
from streaming.presence.actions.upkeep import Upkeep

__all__ = ["Joined", "Presence", "Upkeep", "command_of", "joined", "state_of"]
