"""The timer that forgets old challenges."""

from hazina.chassis import Timer
from identity.factor import actions

EXPIRE_EVERY_S = 60

expiry = Timer("challenges", EXPIRE_EVERY_S, actions.expire)
