"""A clock that tests move."""

from datetime import UTC, datetime, timedelta


class MovableClock:
    """Stands still until it is moved; starts at the full second in which it was made.

    Not in some far year: PostgreSQL has a clock of its own, and the two should agree.
    """

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> datetime:
        """Go forward: `clock.move(hours=24, seconds=1)`."""
        self.now += timedelta(**by)
        return self.now
