"""`python -m hazina.pg.setup`: make every service's schema and its two roles, or renew passwords.

For a server that starts empty (compose, a test cluster); safe to repeat. Reads ADMIN_DATABASE_URL
of a superuser, and `<SERVICE>_OWNER_PASSWORD` and `<SERVICE>_PASSWORD` of each service.
"""

import os
import sys
from collections.abc import Mapping

import psycopg

from hazina.pg.roles import SERVICES, Passwords, ensure_service

CONNECT_TIMEOUT_S = 10


def main(told: Mapping[str, str]) -> int:
    """Set up all services in one transaction; 78 when something is not told."""
    names = [f"{service.upper()}{kind}" for service in SERVICES for kind in ("_OWNER", "")]
    wanted = ["ADMIN_DATABASE_URL", *(f"{name}_PASSWORD" for name in names)]
    if missing := [name for name in wanted if not told.get(name)]:
        sys.stderr.write(f"not set: {', '.join(missing)}\n")
        return os.EX_CONFIG
    with psycopg.connect(told["ADMIN_DATABASE_URL"], connect_timeout=CONNECT_TIMEOUT_S) as admin:
        for service in SERVICES:
            name = service.upper()
            own = Passwords(owner=told[f"{name}_OWNER_PASSWORD"], app=told[f"{name}_PASSWORD"])
            ensure_service(admin, service, own)
    sys.stdout.write(f"schemas and roles are there for {', '.join(SERVICES)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
