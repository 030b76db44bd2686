"""The tests that every service inherits, and the real servers they run against."""

from hazina.standard.clock import MovableClock
from hazina.standard.databases import ServiceDatabase
from hazina.standard.tokens import Mint, Signer
from hazina.standard.under_test import UnderTest

__all__ = ["Mint", "MovableClock", "ServiceDatabase", "Signer", "UnderTest"]
