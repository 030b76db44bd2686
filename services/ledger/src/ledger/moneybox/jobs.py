"""What moneyboxes do by themselves: mature, and end with their owner's place here."""

from hazina.chassis import Timer
from ledger.moneybox import actions

MATURE_EVERY_S = 60
LIQUIDATE_EVERY_S = 60

TIMERS = (
    Timer("moneybox_maturity", MATURE_EVERY_S, actions.mature),
    Timer("moneybox_liquidation", LIQUIDATE_EVERY_S, actions.liquidate),
)
