"""Notes, who wrote how many, and the colours they may have one day."""

from alembic import op

from hazina.pg import USER_ID, protect, protect_open

revision = "20261121053500"
down_revision = "20261121053000"
branch_labels = None
depends_on = None

TABLES = """
create table note (
    id uuid primary key,
    user_id uuid not null,
    text text not null,
    version bigint not null,
    written_at timestamptz not null,
    constraint note_text_bounded check (char_length(text) between 1 and 200)
);
create index note_by_user on note (user_id, id);
comment on table note is 'What a person wants to remember.';
create table note_count (user_id uuid primary key, written bigint not null);
comment on table note_count is 'How many notes each person ever wrote, as heard.';
create table colour (code smallint primary key, name text not null);
comment on table colour is 'The colours that notes may have one day; filled by a migration.';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect("note", read=f"user_id = {USER_ID}", write=f"user_id = {USER_ID}"))
    op.execute(protect("note_count", read=f"user_id = {USER_ID}"))
    op.execute(protect_open("colour"))
    op.execute("insert into colour (code, name) values (1, 'red'), (2, 'green')")


def downgrade() -> None:
    op.execute("drop table colour, note_count, note")
