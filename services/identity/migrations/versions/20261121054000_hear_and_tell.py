"""What every service keeps: facts to tell, facts heard, attempts and who may still call."""

from alembic import op

from hazina import auth, idempotency, outbox

revision = "20261121054000"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(outbox.create_sql())
    op.execute(idempotency.create_sql())
    op.execute(auth.create_sql())


def downgrade() -> None:
    op.execute(auth.drop_sql())
    op.execute(idempotency.drop_sql())
    op.execute(outbox.drop_sql())
