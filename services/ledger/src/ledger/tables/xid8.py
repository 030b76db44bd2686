"""PostgreSQL's 64-bit transaction id, as a column type that SQLAlchemy does not ship."""

from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType


class Xid8(UserDefinedType[int]):
    """A transaction id that never wraps round: what the seal's window rule orders by."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "XID8"


# So that the type is known again when a schema is read back, as the migrations' test does.
ischema_names["xid8"] = Xid8
