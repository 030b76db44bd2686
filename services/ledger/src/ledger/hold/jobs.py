"""What holds do by themselves: expire."""

from hazina.chassis import Timer
from ledger.hold import actions

EXPIRE_EVERY_S = 5

TIMERS = (Timer("hold_expiry", EXPIRE_EVERY_S, actions.expire),)
