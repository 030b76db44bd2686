"""`python -m identity`: serves, migrates, and says what it is."""

from hazina.chassis import main
from identity.app import build
from identity.settings import Settings

if __name__ == "__main__":
    main("identity", Settings, build)
