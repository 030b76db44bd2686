"""`python -m streaming [serve|migrate|openapi|settings] [--only http|relay|listen|work]`."""

from hazina.chassis import main
from streaming.app import build
from streaming.settings import Settings

main("streaming", Settings, build)
