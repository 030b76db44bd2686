"""The tables that the house's libraries keep in every service's schema."""

revision = "20261121052000"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
