"""Channels: who is told what, as it happens, each message encoded once for all."""
