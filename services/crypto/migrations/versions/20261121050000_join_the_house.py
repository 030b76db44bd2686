"""The tables that the house's libraries keep in every service's schema."""

from alembic import op

from hazina import auth, idempotency, outbox

revision = "20261121050000"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them, as each library says."""
    op.execute(outbox.create_sql())
    op.execute(idempotency.create_sql())
    op.execute(auth.create_sql())


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute(auth.drop_sql())
    op.execute(idempotency.drop_sql())
    op.execute(outbox.drop_sql())
