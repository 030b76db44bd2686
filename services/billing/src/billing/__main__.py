"""`python -m billing`: serve, migrate, or say what billing is."""

from billing.app import build
from billing.settings import Settings
from hazina import chassis

if __name__ == "__main__":
    chassis.main("billing", Settings, build)
