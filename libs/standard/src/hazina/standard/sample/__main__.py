"""`python -m hazina.standard.sample`."""

from hazina.chassis import main
from hazina.standard.sample.app import build
from hazina.standard.sample.settings import Settings

if __name__ == "__main__":
    main("sample", Settings, build)
