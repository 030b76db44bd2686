"""Real PostgreSQL, NATS and Envoy from wheels, as ordinary child processes."""

from hazina.embedded.child import Child
from hazina.embedded.envoy import Envoy
from hazina.embedded.nats import Nats
from hazina.embedded.ports import free_port
from hazina.embedded.postgres import Postgres, pg_bin_dir
from hazina.embedded.trouble import Trouble

__all__ = ["Child", "Envoy", "Nats", "Postgres", "Trouble", "free_port", "pg_bin_dir"]
