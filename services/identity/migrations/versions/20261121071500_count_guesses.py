"""Guesses and mails, counted across the challenges that replace each other."""

from alembic import op

revision = "20261121071500"
down_revision = "20261121062000"
branch_labels = None
depends_on = None

COLUMNS = """
alter table challenges add column wrong_at timestamptz, add column mailed_at timestamptz;
comment on column challenges.wrong_at is
    'Of the last wrong try, also of a challenge that this one replaced.';
comment on column challenges.mailed_at is
    'Of the last mail, also of a challenge that this one replaced.';
comment on column challenges.user_id is 'Whose tries it counts, even always wrong.';
"""
NO_COLUMNS = """
comment on column challenges.user_id is 'Null: nobody''s, and always wrong.';
alter table challenges drop column wrong_at, drop column mailed_at;
"""


def upgrade() -> None:
    op.execute(COLUMNS)


def downgrade() -> None:
    op.execute(NO_COLUMNS)
