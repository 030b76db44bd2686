"""Who there is, what they own and where they belong."""

from alembic import op

from hazina.pg import IS_SERVICE, IS_STAFF, ORG_ID, USER_ID, protect

revision = "20261121054500"
down_revision = "20261121054000"
branch_labels = None
depends_on = None

TABLES = """
create table users (
    id uuid not null,
    full_name text,
    avatar_url text,
    personal_title text,
    first_name text,
    middle_name text,
    last_name text,
    personal_apt_suite text,
    personal_street_address_1 text,
    personal_street_address_2 text,
    personal_city text,
    personal_state text,
    personal_postal_code text,
    personal_country text,
    business_position text,
    business_company text,
    business_apt_suite text,
    business_street_address_1 text,
    business_street_address_2 text,
    business_city text,
    business_state text,
    business_postal_code text,
    business_country text,
    billing_address jsonb,
    payment_method jsonb,
    username text,
    display_name text not null,
    email text,
    phone_country_code text,
    phone_number text,
    bio text,
    education jsonb default '[]' not null,
    work_experience jsonb default '[]' not null,
    account_type text default 'user' not null,
    profile_completed boolean default false not null,
    onboarding_completed boolean default false not null,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    status text not null,
    marketplace_role text default 'buyer' not null,
    locale text default 'en' not null,
    email_verified_at timestamptz,
    phone_verified_at timestamptz,
    suspended_until timestamptz,
    erase_at timestamptz,
    version bigint not null,
    primary key (id),
    constraint users_username_is_one unique (username),
    constraint users_email_is_one unique (email),
    constraint users_full_name_short check (length(full_name) <= 200),
    constraint users_avatar_url_short check (length(avatar_url) <= 200),
    constraint users_personal_title_short check (length(personal_title) <= 200),
    constraint users_first_name_short check (length(first_name) <= 200),
    constraint users_middle_name_short check (length(middle_name) <= 200),
    constraint users_last_name_short check (length(last_name) <= 200),
    constraint users_personal_apt_suite_short check (length(personal_apt_suite) <= 200),
    constraint users_personal_street_address_1_short check (length(personal_street_address_1) <= 200),
    constraint users_personal_street_address_2_short check (length(personal_street_address_2) <= 200),
    constraint users_personal_city_short check (length(personal_city) <= 200),
    constraint users_personal_state_short check (length(personal_state) <= 200),
    constraint users_personal_postal_code_short check (length(personal_postal_code) <= 200),
    constraint users_personal_country_short check (length(personal_country) <= 200),
    constraint users_business_position_short check (length(business_position) <= 200),
    constraint users_business_company_short check (length(business_company) <= 200),
    constraint users_business_apt_suite_short check (length(business_apt_suite) <= 200),
    constraint users_business_street_address_1_short check (length(business_street_address_1) <= 200),
    constraint users_business_street_address_2_short check (length(business_street_address_2) <= 200),
    constraint users_business_city_short check (length(business_city) <= 200),
    constraint users_business_state_short check (length(business_state) <= 200),
    constraint users_business_postal_code_short check (length(business_postal_code) <= 200),
    constraint users_business_country_short check (length(business_country) <= 200),
    constraint users_display_name_short check (length(display_name) <= 200),
    constraint users_email_short check (length(email) <= 200),
    constraint users_username_shape check (username ~ '^[a-z0-9_]{3,30}$'),
    constraint users_email_lower check (email = lower(email)),
    constraint users_bio_short check (length(bio) <= 2000),
    constraint users_education_few check (jsonb_array_length(education) <= 20),
    constraint users_work_experience_few check (jsonb_array_length(work_experience) <= 20),
    constraint users_personal_country_alpha2 check (personal_country ~ '^[A-Z]{2}$'),
    constraint users_business_country_alpha2 check (business_country ~ '^[A-Z]{2}$'),
    constraint users_account_type check (account_type in ('user', 'admin', 'super_admin')),
    constraint users_locale check (locale in ('en', 'sw')),
    constraint users_status check (status in ('unverified', 'active', 'suspended', 'banned', 'erasing', 'erased'))
);
create unique index users_verified_phone_is_one on users (phone_country_code, phone_number) where phone_verified_at is not null;
comment on table users is 'Everybody who ever signed up. Erased ones keep their id and nothing of themselves.';
comment on column users.payment_method is 'provider, provider_ref, brand, last4; never a card.';
comment on column users.erase_at is 'When an erasing account becomes an erased one.';
comment on column users.version is 'Rises with every change: the ETag.';

create table organizations (
    id uuid not null,
    name text not null,
    slug text not null,
    org_type text not null,
    is_personal boolean not null,
    owner_id uuid not null,
    description text,
    avatar_url text,
    settings jsonb default '{}' not null,
    status text default 'active' not null,
    version bigint not null,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint organizations_slug_is_one unique (slug),
    constraint organizations_slug_shape check (slug ~ '^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$'),
    constraint organizations_org_type check (org_type in ('personal', 'business', 'family', 'education', 'other')),
    constraint organizations_personal check (is_personal = (org_type = 'personal')),
    constraint organizations_status check (status in ('active', 'deleted')),
    constraint organizations_personal_stays check (not is_personal or status = 'active'),
    foreign key (owner_id) references users (id)
);
create unique index organizations_one_personal on organizations (owner_id) where is_personal;
comment on table organizations is 'Who is billed and who owns; everybody has a personal one.';
comment on column organizations.owner_id is 'Always an active owner.';
comment on column organizations.version is 'Rises with every change: the ETag.';

create table password_history (
    id uuid not null,
    user_id uuid not null,
    password_hash text not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    foreign key (user_id) references users (id)
);
create index password_history_user on password_history (user_id, created_at);
comment on table password_history is 'The last five passwords of each user, so that none comes back.';

create table passwords (
    user_id uuid not null,
    hash text not null,
    pepper_id text not null,
    chars integer not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (user_id),
    foreign key (user_id) references users (id)
);
comment on table passwords is 'How we know a user''s password without knowing it.';
comment on column passwords.hash is 'Argon2id over the peppered password.';
comment on column passwords.pepper_id is 'Which pepper it was made with.';
comment on column passwords.chars is 'Its length: short ones need a factor.';

create table organization_members (
    org_id uuid not null,
    user_id uuid not null,
    role text not null,
    mv bigint not null,
    status text not null,
    joined_at timestamptz not null,
    removed_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (org_id, user_id),
    constraint organization_members_role check (role in ('owner', 'member', 'viewer')),
    constraint organization_members_status check (status in ('active', 'removed')),
    constraint organization_members_mv check (mv > 0),
    foreign key (org_id) references organizations (id),
    foreign key (user_id) references users (id)
);
create index organization_members_user on organization_members (user_id);
comment on table organization_members is 'Who belongs where. Rows stay after a removal, so that mv only rises.';
comment on column organization_members.mv is 'Rises with every change; tokens carry it.';
"""

VIEWS = """
-- A view runs as its owner: this policy lets it, and nobody else, see every active user's row.
create policy shown on users for select to current_user using (status = 'active');
create view profiles as
    select id, username, display_name, avatar_url, bio, created_at
    from users where status = 'active';
comment on view profiles is 'What everybody may read of an active user.';
create view team_members as
    select m.org_id, m.user_id, m.role, m.mv, m.status, m.joined_at, m.removed_at
    from organization_members m join organizations o on o.id = m.org_id
    where not o.is_personal;
alter view team_members set (security_invoker = true);
comment on view team_members is 'Members of organisations that are not personal.';
create view admin_users as
    select id, username, display_name, email, account_type, status, created_at
    from users where account_type in ('admin', 'super_admin');
alter view admin_users set (security_invoker = true);
comment on view admin_users is 'Staff of the platform.';
"""

# Looked at when the transaction ends: an organisation and its first member come together.
OWNER = """
create function organisation_has_owner() returns trigger language plpgsql as $$
declare
    org uuid := case tg_table_name when 'organizations' then to_jsonb(new) ->> 'id'
                else to_jsonb(new) ->> 'org_id' end;
begin
    if exists (
        select from organizations o
        where o.id = org and o.status = 'active' and not exists (
            select from organization_members m
            where m.org_id = o.id and m.user_id = o.owner_id
              and m.role = 'owner' and m.status = 'active')
    ) then
        raise exception 'organisation % is owned by nobody who belongs to it', org
            using errcode = 'check_violation', constraint = 'organizations_owner_is_member';
    end if;
    return null;
end $$;
create constraint trigger organizations_owner_is_member
    after insert or update on organizations
    deferrable initially deferred for each row execute function organisation_has_owner();
create constraint trigger organization_members_keep_owner
    after insert or update on organization_members
    deferrable initially deferred for each row execute function organisation_has_owner();

create function mv_only_rises() returns trigger language plpgsql as $$
begin
    if new.mv <= old.mv then
        raise exception 'a membership version only rises'
            using errcode = 'check_violation', constraint = 'organization_members_mv_rises';
    end if;
    return new;
end $$;
create trigger organization_members_mv_rises before update on organization_members
    for each row execute function mv_only_rises();
"""

# Which organisations an asker belongs to is asked of organization_members, whose own policy
# shows them their rows.
BELONGS = f"""id = {ORG_ID} or {IS_STAFF} or exists (
    select from organization_members m
    where m.org_id = organizations.id and m.user_id = {USER_ID} and m.status = 'active')"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(VIEWS)
    op.execute(OWNER)
    op.execute(protect("users", read=f"id = {USER_ID} or {IS_STAFF}", write=f"id = {USER_ID}"))
    op.execute(protect("passwords", read=IS_SERVICE))
    op.execute(protect("password_history", read=IS_SERVICE))
    op.execute(protect("organizations", read=BELONGS))
    op.execute(protect("organization_members", read=f"user_id = {USER_ID} or org_id = {ORG_ID}"))


def downgrade() -> None:
    op.execute("drop view admin_users, team_members, profiles")
    op.execute("drop table organization_members, organizations, password_history, passwords")
    op.execute("drop table users")
    op.execute("drop function organisation_has_owner, mv_only_rises")
