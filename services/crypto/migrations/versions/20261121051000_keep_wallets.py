"""Who has a wallet, under which handle, and the keys of those that we keep."""

from pathlib import Path

from alembic import op

from hazina.pg import IS_SERVICE, IS_STAFF, ORG_ID, USER_ID, protect

FUNCTIONS = Path(__file__).parents[1] / "functions"


revision = "20261121051000"
down_revision = "20261121050000"
branch_labels = None
depends_on = None

TRIGGERS = """
create trigger crypto_wallets_touched before update on crypto_wallets
    for each row execute function update_updated_at_column();
create trigger user_state_touched before update on user_state
    for each row execute function update_updated_at_column();
"""

OWN = f"coalesce(user_id, org_id) in ({USER_ID}, {ORG_ID}) or {IS_STAFF}"

# A wallet's own policy decides whose its addresses are.
OF_OWN_WALLET = f"""case when {IS_STAFF} then true
    else exists (select from crypto_wallets w where w.id = wallet_id) end"""

TABLES = """
create table crypto_wallets (
    id uuid default uuidv7() not null,
    user_id uuid,
    org_id uuid,
    handle varchar(50),
    wallet_address varchar(100),
    chain text default 'base' not null,
    wallet_type text default 'custodial' not null,
    key_scheme text not null,
    is_primary boolean default false not null,
    frozen_at timestamptz,
    frozen_reason text,
    version bigint default 1 not null,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint crypto_wallets_one_owner check (num_nonnulls(user_id, org_id) = 1),
    constraint crypto_wallets_chain_known check (chain in ('base', 'solana', 'polygon')),
    constraint crypto_wallets_type_known check (wallet_type in ('custodial', 'hybrid', 'self_custody')),
    constraint crypto_wallets_scheme_known check (key_scheme in ('envelope-v1', 'frost-ed25519-2of3', 'safe-1.4.1-2of3', 'none')),
    constraint crypto_wallets_handle_shape check (handle ~ '^[a-z0-9_.]{3,50}$'),
    constraint crypto_wallets_frozen_why check ((frozen_at is null) = (frozen_reason is null))
);
create unique index idx_wallets_address on crypto_wallets (chain, wallet_address);
create unique index idx_wallets_handle on crypto_wallets (handle);
create index idx_wallets_org on crypto_wallets (org_id);
create index idx_wallets_user on crypto_wallets (user_id);
create unique index unique_user_primary on crypto_wallets (user_id) where is_primary;
comment on table crypto_wallets is 'Wallets: a custodial one moves tokens on our books; others live on their chain.';
comment on column crypto_wallets.handle is 'Without the @; what others pay to.';
comment on column crypto_wallets.wallet_address is 'Where the chain knows it.';

create table wallet_keys (
    id uuid default uuidv7() not null,
    wallet_id uuid not null,
    kek_version integer not null,
    encrypted_key_share bytea not null,
    public_key bytea not null,
    retired_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    foreign key(wallet_id) references crypto_wallets (id)
);
create index wallet_keys_wallet_id on wallet_keys (wallet_id);
comment on table wallet_keys is 'Sealed keys of custodial wallets. The app may add one and read none.';

create table wallet_addresses (
    id uuid default uuidv7() not null,
    wallet_id uuid not null,
    key_id uuid not null,
    chain text not null,
    address varchar(100) not null,
    request_id uuid,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint wallet_addresses_is_one unique (chain, address),
    foreign key(wallet_id) references crypto_wallets (id)
);
create index wallet_addresses_wallet_id on wallet_addresses (wallet_id);
comment on table wallet_addresses is 'Where a wallet can be paid on each chain.';
comment on column wallet_addresses.request_id is 'The payment request that it was made for.';

create table handle_tombstones (
    handle varchar(50) not null,
    until_at timestamptz not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (handle)
);
comment on table handle_tombstones is 'Handles that were given up and rest, so that nobody is paid in another''s name.';

create table user_state (
    user_id uuid not null,
    username text,
    display_name text,
    status text default 'active' not null,
    version bigint not null,
    stakes_version bigint default 0 not null,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    primary key (user_id),
    constraint user_state_status_known check (status in ('active', 'suspended', 'banned', 'erased'))
);
comment on table user_state is 'What identity told us of each user.';
comment on column user_state.version is 'Of identity''s user; the newer wins.';
comment on column user_state.stakes_version is 'Counts what was told of the user''s stakes.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute((FUNCTIONS / "update_updated_at_column.sql").read_text())
    op.execute(TABLES)
    op.execute(TRIGGERS)
    op.execute(protect("crypto_wallets", read=OWN))
    op.execute(protect("wallet_keys", read=IS_SERVICE))
    op.execute(protect("wallet_addresses", read=OF_OWN_WALLET))
    op.execute(protect("handle_tombstones", read="true"))
    op.execute(protect("user_state", read=IS_STAFF))
    # Who answers requests may seal a key away and never sees one again: reading them is for the
    # role of the signer, which comes with withdrawals.
    op.execute("revoke select, update, delete on wallet_keys from crypto")


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute(
        "drop table user_state, handle_tombstones, wallet_addresses, wallet_keys, crypto_wallets"
    )
    op.execute("drop function update_updated_at_column")
