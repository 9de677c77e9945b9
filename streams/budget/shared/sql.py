"""The statements of the shared budget: one row a system, replaced where its version still fits."""

CHANNEL = "tandem_budget"
CREATE = "insert into budgets (system, state) values ($1, '{}') on conflict do nothing"
SAVE = f"""
with saved as (update budgets set state = $3, version = version + 1 where system = $1 and version = $2 returning version),
     told as (select pg_notify('{CHANNEL}', $4) from saved where $4 <> '')
select version, state, (select version from saved) as saved, (select count(*) from told) as told,
       (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms
from budgets where system = $1
"""  # noqa: S608 (the channel is a constant)
SPEND = """
insert into budget_spent as s (system, day, lane, purpose, calls) values ($1, (now() at time zone 'UTC')::date, $2, $3, $4)
on conflict (system, day, lane, purpose) do update set calls = s.calls + excluded.calls
"""
