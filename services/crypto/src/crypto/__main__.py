"""`python -m crypto`: serve, migrate, or say what crypto is."""

from crypto.app import build
from crypto.settings import Settings
from hazina import chassis

if __name__ == "__main__":
    chassis.main("crypto", Settings, build)
