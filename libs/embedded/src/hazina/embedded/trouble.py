"""What keeps a program from starting, said so that a person knows what to do."""


class Trouble(Exception):
    """One sentence about what is wrong and what would help; never shown with a traceback."""
