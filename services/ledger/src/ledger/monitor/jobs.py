"""What monitors do by themselves: tell, within a second, what was crossed."""

from hazina.chassis import Timer
from ledger.monitor import actions

TELL_EVERY_S = 1

TIMERS = (Timer("monitor_hits", TELL_EVERY_S, actions.tell),)
