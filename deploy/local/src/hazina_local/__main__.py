"""`python -m hazina_local`: the same as the command `hazina`."""

from hazina_local.cli import main

main()
