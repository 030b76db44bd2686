"""The SQL of proving the book. Every statement lists contradictions, so right is empty."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import IsolationLevel
from sqlalchemy import insert, text

from hazina.pg import Database, Transaction
from ledger import tables
from ledger.audit.rules import Finding, Law, Report

FINDINGS_MAX = 100  # of one statement: a broken book breaks everywhere

LAWS = (
    Law(
        "L1",
        "the balances of an asset sum to zero",
        """select null::uuid, jsonb_build_object('asset', a.asset, 'sum', sum(b.posted))
           from balance b join account a on a.id = b.account_id
           group by a.asset having sum(b.posted) <> 0""",
    ),
    Law(
        "L2",
        "a balance equals its entries, in sum and in number",
        """select coalesce(b.account_id, e.account_id), jsonb_build_object(
               'posted', b.posted, 'entries', e.total, 'seq', b.seq, 'counted', e.n)
           from (select * from balance where updated_at >= %(since)s) b
           full join (
               select account_id, sum(amount) as total, count(*) as n from entry
               where account_id in (select account_id from balance where updated_at >= %(since)s)
                  or not exists (select from balance where balance.account_id = entry.account_id)
               group by account_id
           ) e on e.account_id = b.account_id
           where b.account_id is null or b.posted <> coalesce(e.total, 0)
              or b.seq <> coalesce(e.n, 0)""",
    ),
    Law(
        "L3",
        "each entry continues the one before it",
        """select account_id, jsonb_build_object(
               'seq', seq, 'balance_after', balance_after, 'expected', before + amount)
           from (
               select *, lag(balance_after, 1, 0::bigint) over w as before,
                      row_number() over w as place
               from entry
               where account_id in (select account_id from balance where updated_at >= %(since)s)
               window w as (partition by account_id order by seq)
           ) e
           where balance_after <> before + amount or seq <> place""",
    ),
    Law(
        "L4",
        "a transaction's receipt equals its entries",
        """with told as (
               select t.id, u.* from transaction t
               cross join unnest(t.account_ids, t.amounts, t.seqs, t.balances_after)
                   u (account_id, amount, seq, balance_after)
               where t.created_at >= %(since)s
           ),
           kept as (
               select transaction_id, account_id, amount, seq, balance_after from entry
               where created_at >= %(since)s
           )
           select account_id, jsonb_build_object('transaction_id', id, 'seq', seq)
           from ((table told except table kept) union all (table kept except table told)) d""",
    ),
    Law(
        "L4",
        "a transaction balances",
        """select t.account_ids[1], jsonb_build_object('transaction_id', t.id)
           from transaction t
           cross join lateral (
               select from unnest(t.account_ids, t.amounts) u (account_id, amount)
               join account a on a.id = u.account_id
               group by a.asset having sum(u.amount) <> 0 limit 1
           ) uneven
           where t.created_at >= %(since)s""",
    ),
    Law(
        "L4",
        "a transaction was asked for under one key",
        """select t.account_ids[1], jsonb_build_object('transaction_id', t.id, 'keys', count(i.key))
           from transaction t
           left join idempotency i on i.resource_id = t.id and i.problem is null
           where t.created_at >= %(since)s
           group by t.id having count(i.key) <> 1""",
    ),
    Law(
        "L5",
        "what is held back is held for somebody",
        """select b.account_id, jsonb_build_object('held', b.held, 'holds', coalesce(h.total, 0))
           from balance b
           left join (select from_account, sum(amount) as total from hold
                      where status = 'pending' group by 1) h on h.from_account = b.account_id
           where b.held <> coalesce(h.total, 0)""",
    ),
    Law(
        "L6",
        "a gift is what its transaction moved",
        """select e.earnings_id, jsonb_build_object('gift_id', g.id)
           from gifts g
           left join transaction t on t.id = g.transaction_id and t.kind = 'gift'
           left join lateral (
               select -sum(u.amount) filter (where a.owner_id = g.sender_id
                                               and a.purpose = 'available') as spent,
                      sum(u.amount) filter (where a.owner_id = g.recipient_id
                                               and a.purpose = 'earnings') as earned,
                      sum(u.amount) filter (where a.owner_type = 'platform'
                                               and a.purpose = 'revenue') as kept,
                      (array_agg(a.id) filter (where a.purpose = 'earnings'))[1] as earnings_id
               from unnest(t.account_ids, t.amounts) u (account_id, amount)
               join account a on a.id = u.account_id
           ) e on true
           where g.created_at >= %(since)s
             and (t.id is null or e.spent is distinct from g.coin_amount
                  or coalesce(e.earned, 0) <> g.streamer_revenue
                  or coalesce(e.kept, 0) <> g.platform_revenue)""",
    ),
    Law(
        "L6",
        "a gift's transaction has its gift and its fee",
        """select t.account_ids[1], jsonb_build_object('transaction_id', t.id)
           from transaction t
           left join gifts g on g.transaction_id = t.id
           left join transaction_fees f on f.transaction_id = t.id
           where t.kind = 'gift' and t.created_at >= %(since)s
             and (g.id is null or f.platform_revenue is distinct from g.platform_revenue)""",
    ),
    Law(
        "L6",
        "a gift that was taken back has its transaction",
        """select null::uuid, jsonb_build_object('gift_id', r.gift_id)
           from gift_reversals r
           left join gifts g on g.id = r.gift_id
           left join transaction t on t.id = r.transaction_id and t.kind = 'gift_reversal'
           where r.created_at >= %(since)s and t.reverses is distinct from g.transaction_id""",
    ),
    Law(
        "L6",
        "a confirmed purchase is what its transaction moved",
        """select e.purse_id, jsonb_build_object('purchase_id', p.id)
           from coin_purchases p
           left join transaction t on t.id = p.transaction_id and t.kind = 'purchase'
           left join lateral (
               select sum(u.amount) filter (where a.owner_id = p.profile_id
                                              and a.asset = 'COIN') as coins,
                      sum(u.amount) filter (where a.purpose = 'float'
                                              and a.asset = p.currency) as paid,
                      (array_agg(a.id) filter (where a.purpose = 'available'))[1] as purse_id
               from unnest(t.account_ids, t.amounts) u (account_id, amount)
               join account a on a.id = u.account_id
           ) e on true
           where p.confirmed_at >= %(since)s
             and (t.id is null or e.coins is distinct from p.coin_amount + p.bonus_coins
                  or coalesce(e.paid, p.amount) <> p.amount)""",
    ),
    Law(
        "L6",
        "coins are issued by a confirmed purchase only",
        """select t.account_ids[1], jsonb_build_object('transaction_id', t.id)
           from transaction t
           join account a on a.id = any (t.account_ids) and a.purpose = 'issue'
           left join coin_purchases p on p.transaction_id = t.id
           where t.kind = 'purchase' and t.created_at >= %(since)s and p.id is null""",
    ),
    Law(
        "L6",
        "a purchase left the coins that it gave less those taken back",
        """select null::uuid, jsonb_build_object('purchase_id', p.id)
           from coin_purchases p
           left join lateral (
               select -sum(u.amount) as left_over from transaction t
               cross join unnest(t.account_ids, t.amounts) u (account_id, amount)
               join account a on a.id = u.account_id and a.purpose = 'issue'
               where t.reference = p.id::text
           ) e on true
           where p.confirmed_at is not null
             and e.left_over is distinct from p.coin_amount + p.bonus_coins - p.clawed_coins""",
    ),
    Law(
        "L6",
        "a user's totals equal their gifts and purchases",
        """select null::uuid, jsonb_build_object('user_id', t.user_id)
           from profile_totals t
           left join (select sender_id as id, sum(coin_amount) as n from gifts group by 1) sent
               on sent.id = t.user_id
           left join (select recipient_id as id, sum(coin_amount) as n from gifts group by 1) got
               on got.id = t.user_id
           left join (select profile_id as id, sum(coin_amount + bonus_coins) as n
                      from coin_purchases where confirmed_at is not null group by 1) bought
               on bought.id = t.user_id
           where t.total_gifts_sent <> coalesce(sent.n, 0)
              or t.total_spent <> coalesce(sent.n, 0)
              or t.total_gifts_received <> coalesce(got.n, 0)
              or t.total_purchased <> coalesce(bought.n, 0)""",
    ),
    Law(
        "L6",
        "a user's moneybox holds what its ledger says",
        """select b.account_id, jsonb_build_object('posted', b.posted, 'ledger', l.total)
           from account a join balance b on b.account_id = a.id
           full join (
               select m.user_id, m.asset, sum(l.amount) as total
               from moneybox_ledger l join moneybox_accounts m on m.id = l.moneybox_id
               group by 1, 2
           ) l on l.user_id = a.owner_id and l.asset = a.asset and a.dao_id is null
                  and a.purpose = 'moneybox'
           where (a.purpose = 'moneybox' or a.id is null)
             and coalesce(b.posted, 0) <> coalesce(l.total, 0)""",
    ),
    Law(
        "L6",
        "a moneybox's ledger is what its transactions moved",
        """select u.account_id, jsonb_build_object(
               'transaction_id', t.id, 'ledger', l.total, 'moved', u.amount)
           from (
               select id from transaction where created_at >= %(since)s
               union select transaction_id from moneybox_ledger where created_at >= %(since)s
           ) t
           left join lateral (
               select a.id as account_id, u.amount from transaction x
               cross join unnest(x.account_ids, x.amounts) u (account_id, amount)
               join account a on a.id = u.account_id and a.purpose = 'moneybox'
               where x.id = t.id
           ) u on true
           left join lateral (
               select sum(amount) as total from moneybox_ledger where transaction_id = t.id
           ) l on true
           where l.total is distinct from u.amount""",
    ),
    Law(
        "L6",
        "a commission is what its transaction moved",
        """select e.purse_id, jsonb_build_object('commission_id', i.id)
           from (
               select id from transaction where kind = 'commission' and created_at >= %(since)s
               union select id from commissions where created_at >= %(since)s
           ) i
           left join commissions c on c.id = i.id
           left join transaction t on t.id = i.id and t.kind = 'commission'
           left join lateral (
               select sum(u.amount) filter (where a.purpose = 'available') as credited,
                      sum(u.amount) filter (where a.purpose = 'moneybox') as saved,
                      (array_agg(a.id) filter (where a.purpose = 'available'))[1] as purse_id
               from unnest(t.account_ids, t.amounts) u (account_id, amount)
               join account a on a.id = u.account_id
               where a.owner_id = c.user_id and a.asset = c.currency
           ) e on true
           where c.id is null or t.id is null
              or coalesce(e.credited, 0) <> c.amount - c.autosaved_amount
              or coalesce(e.saved, 0) <> c.autosaved_amount""",
    ),
)

LAST_CLEAN = text("select max(created_at) from check_run where ok")


@asynccontextmanager
async def snapshot(db: Database) -> AsyncIterator["psycopg.AsyncConnection[Any]"]:
    """Open one moment of the whole book: what is posted meanwhile is not seen."""
    connection = await db.connect()
    try:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        async with connection.transaction():
            await connection.execute("select set_config('app.role', 'service', true)")
            yield connection
    finally:
        await connection.close()


async def list_findings(
    connection: "psycopg.AsyncConnection[Any]", law: Law, since: datetime | None
) -> list[Finding]:
    """List where a law is broken, among what changed since then; everywhere if not said."""
    values = {"since": "-infinity" if since is None else since}
    rows = await connection.execute(law.sql.encode(), values)
    found = await rows.fetchmany(FINDINGS_MAX)
    return [Finding(law.level, law.says, account_id, facts) for account_id, facts in found]


async def find_last_clean(tx: Transaction) -> datetime | None:
    """Read when the book was last found right."""
    found: datetime | None = (await tx.execute(LAST_CLEAN)).scalar()
    return found


async def add_run(tx: Transaction, report: Report) -> None:
    """Write what a proof found."""
    findings = [
        {
            "level": one.level,
            "says": one.says,
            "account_id": None if one.account_id is None else str(one.account_id),
            "facts": one.facts,
        }
        for one in report.findings
    ]
    await tx.execute(
        insert(tables.check_run).values(
            id=report.id, level=report.level, ok=report.ok, findings=findings
        )
    )
