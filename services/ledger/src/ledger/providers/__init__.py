"""Adapters to the payment providers, each with a twin that behaves like the real one."""
