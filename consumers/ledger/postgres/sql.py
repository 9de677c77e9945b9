"""Every statement of the ledger on PostgreSQL, by name. Values travel as parameters only; arrays make one statement of a batch.

Locks are taken in one order: pairs by id, then what is due for them, then what was left, last the meeting. `claim` never waits for one.
"""

BEGIN = "begin"
BEGIN_UNSURE = "begin; set local synchronous_commit to off"
"""Of a transaction that a crash may take back together with everything after it."""
COMMIT = "commit"
ROLLBACK = "rollback"

REACHABLE = "select 1"
WRITE_IDS = "select nextval('write_ids')"
OFFSET = "select next_offset from partition_offsets where topic = $1 and partition = $2"

STATES_SALESFORCE = "select salesforce_id, state from pairs where salesforce_id = any($1::text[])"
STATES_MARKETO = "select marketo_id, state from pairs where marketo_id = any($1::text[]) and marketo_object = $2"
WAITING = "select lane from due where kind = $1 and lane < 10 and at <= $2 order by lane, at limit 1"
"""Ten more than its lane: it is parked while somebody has paused it."""

LOOKED_FOR = "select pair from due where kind = $1 and at > $2 and pair > $3 order by pair limit $4"
REFUSED = "select distinct pair from refusals where pair > $1 order by pair limit $2"
LAST_READ = "select next_offset, last_read from partition_offsets where topic = $1 and partition = $2"

ADVANCE = """
insert into partition_offsets as known (topic, partition, next_offset, last_read)
select $1::text, $2::integer, $4::bigint, $5::bigint where $4::bigint >= $3::bigint
on conflict (topic, partition) do update set next_offset = excluded.next_offset, last_read = excluded.last_read
    where known.next_offset = $3
returning 1
"""
REWIND = """
update partition_offsets set next_offset = $4, last_read = null where topic = $1 and partition = $2 and next_offset = $3 returning 1
"""

BY_SALESFORCE = """
select id, state, match_key, told_in, salesforce_id, ctid::text from pairs where salesforce_id = any($1::text[]) order by id for update
"""
BY_MARKETO = """
select id, state, match_key, told_in, marketo_id, ctid::text from pairs where marketo_id = any($1::text[]) and marketo_object = $2
order by id for update
"""
"""With where the row is, which holds while it is locked and not written."""
BY_ID = "select id, state, match_key, told_in from pairs where id = any($1::bigint[]) order by id for update"
GATHER = """
select id, state, match_key, told_in from pairs where id = any(array(
    select unnest($1::bigint[])
    union all select id from pairs where salesforce_id = any($2::text[])
    union all select found.id from unnest($3::text[], $7::text[]) as wanted (record, object) cross join lateral (
        select id from pairs where marketo_id = wanted.record and marketo_object = wanted.object) as found
    union all select alike.id from unnest($4::text[]) as wanted (key) cross join lateral (
        select id from pairs where match_key = wanted.key and not gone order by id limit $6) as alike
    union all select waiting.id from unnest($5::text[]) as wanted (what) cross join lateral (
        select id from pairs where waits_for = wanted.what order by id limit $6) as waiting
)) order by id for update
"""
"""Found without a lock, then locked in the order of ids: whoever changed meanwhile is shown as it is now."""

LOCK_MEETING = "select pg_advisory_xact_lock(hashtext('tandem: introductions'))"
"""The last lock that a transaction takes: its holder waits for nobody, and what it has saved is there for the next one."""
OTHERS_WITH = """
select wanted.key from unnest($1::text[]) as wanted (key) where exists (
    select from pairs where match_key = wanted.key and not gone and id <> all($2::bigint[]))
"""

NOTE_LEFT = """
insert into left_behind (what) select what from unnest($1::text[]) as told (what)
where exists (select from pairs where waits_for = told.what) order by what
on conflict do nothing
"""
TAKE_LEFT = """
delete from left_behind where what = any(array(select what from left_behind order by what limit $1 for update skip locked)) returning what
"""
ANYTHING_LEFT = "select exists (select from left_behind)"

_LANE = """(
    select p.id, p.state, p.match_key, p.told_in
    from due as d join pairs as p on p.id = d.pair
    where d.kind = $1 and d.lane = {lane} and d.at <= $2 and {lane} <= $4
    order by d.at
    limit $3
    for update of p skip locked
)"""
CLAIM = (
    " union all ".join(f"select * from {_LANE.format(lane=lane)} as lane_{lane}" for lane in range(3)) + " limit $3"  # noqa: S608 - numbers of ours
)
"""One lane after the other, so that each is an ordered walk of the index and stops when there are enough."""

STILL_PAUSED = "select id from pauses where id = any($1::bigint[]) order by id for share"
"""Whoever ends one of these waits until what is parked for it is committed, and finds it."""
PARK = "update due set lane = lane + 10 where kind = $1 and lane < 10 and pair = any($2::bigint[])"

UPDATE_STATES = """
update pairs as p set state = new.state, updated_at = $3, told_in = new.told_in
from unnest($1::bigint[], $2::bytea[], $4::bigint[]) as new (id, state, told_in)
where p.id = new.id
"""
"""Touches no indexed column, so the new version stays on its page and no index learns of it (PostgreSQL, heap-only tuples)."""

UPDATE_STATES_ALIKE = """
update pairs as p set state = new.state, updated_at = $3, told_in = $4
from unnest($1::text::bigint[], $2::bytea[]) as new (id, state)
where p.id = new.id
"""
"""The same where all were told of in one block, as those of a batch are. The driver takes five times as long over a list as over a text."""

UPDATE_STATES_THERE = """
update pairs as p set state = new.state, updated_at = $3, told_in = $4
from unnest($1::text::bigint[], $2::bytea[], $5::text::tid[]) as new (id, state, place)
where p.ctid = new.place and p.id = new.id
"""
"""The same of rows whose places are known: nothing is looked up. What is not where it was is left as it is, and not counted."""

UPDATE_PAIRS = """
update pairs as p set state = new.state, salesforce_object = new.salesforce_object, salesforce_id = new.salesforce_id,
    marketo_id = new.marketo_id, match_key = new.match_key, held = new.held, contested = new.contested, gone = new.gone,
    waits_for = new.waits_for, marketo_object = new.marketo_object, gone_in_marketo = new.gone_in_marketo, updated_at = $13
from unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
    $9::boolean[], $10::text[], $11::text[], $12::boolean[]) as new (id, state, salesforce_object, salesforce_id, marketo_id, match_key,
    held, contested, gone, waits_for, marketo_object, gone_in_marketo)
where p.id = new.id
"""

INSERT_PAIRS = """
insert into pairs (state, salesforce_object, salesforce_id, marketo_id, match_key, held, contested, gone, waits_for, marketo_object,
    gone_in_marketo, updated_at, told_in)
select new.*, $12, $13
from unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::boolean[], $9::text[], $10::text[],
    $11::boolean[]) as new (state, salesforce_object, salesforce_id, marketo_id, match_key, held, contested, gone, waits_for,
    marketo_object, gone_in_marketo)
returning id, salesforce_id, marketo_id, marketo_object
"""

GONE = "select id, updated_at from pairs where gone and id > $1 order by id limit $2"
IDLE = """
select id, state, match_key, told_in from pairs where id = any($1::bigint[]) and gone and held is null and not contested and updated_at < $2
order by id for update skip locked
"""
REMOVE_PAIRS = "delete from pairs where id = any($1::bigint[])"
REMOVE_DUE_OF = "delete from due where kind between 0 and 3 and pair = any($1::bigint[])"

PUT_DUE = """
insert into due (kind, pair, lane, at)
select * from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::bigint[])
on conflict (kind, pair) do update set lane = excluded.lane, at = excluded.at
"""
PUT_DUE_ALIKE = """
insert into due (kind, pair, lane, at)
select $1::smallint, pair, $3::smallint, $4::bigint from unnest($2::text::bigint[]) as pair
on conflict (kind, pair) do update set lane = excluded.lane, at = excluded.at
"""
ADD_DUE_ALIKE = (
    "insert into due (kind, pair, lane, at) select $1::smallint, pair, $3::smallint, $4::bigint from unnest($2::text::bigint[]) as pair"
)
"""The same of pairs for which there is no such row: two thirds of the work, since none is looked for and nothing is put down twice."""
DROP_DUE = """
delete from due as d using unnest($1::smallint[], $2::bigint[]) as gone (kind, pair)
where d.kind = gone.kind and d.pair = gone.pair
"""

SHELVE_PAIR = "update pairs set held = $2 where id = $1"
SHELVE_DUE = "update due set at = $2 where kind between 0 and 3 and pair = $1"
"""Beside a state that can't be read or stored."""

_OWNER = """left join lateral (
    select own.id, own.marketo_id, own.gone or own.gone_in_marketo as gone from pairs as own
    where own.salesforce_id = {record} and own.salesforce_object = any({objects}::text[])
    union all
    select heir.id, heir.marketo_id, heir.gone or heir.gone_in_marketo as gone from former as f join pairs as heir on heir.id = f.pair
    where f.system = 'salesforce' and f.object = any({objects}::text[]) and f.id = {record}
    union all
    select own.id, own.salesforce_id, own.gone from pairs as own
    where own.marketo_object = split_part({record}, ':', 1) and own.marketo_id = split_part({record}, ':', 2) and {record} like '%:%'
    union all
    select heir.id, heir.salesforce_id, heir.gone from former as f join pairs as heir on heir.id = f.pair
    where f.system = 'marketo' and f.object = split_part({record}, ':', 1) and f.id = split_part({record}, ':', 2) and {record} like '%:%'
    limit 1) as owner on true"""
"""The pair of a Salesforce record, or the one that it is part of now, with its id in Marketo; of a Marketo record (`person:123`) the same
with its id in Salesforce."""
IN_MARKETO = f"""
select wanted.id, owner.marketo_id from unnest($1::text[]) as wanted (id)
{_OWNER.format(record="wanted.id", objects="$2")}
where owner.marketo_id is not null and not owner.gone
"""  # noqa: S608 - statements of ours
RELATE = """
insert into relations as known (child, role, parent, waiting)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[])
on conflict (child, role) do update set parent = excluded.parent, waiting = excluded.waiting
    where (known.parent, known.waiting) is distinct from (excluded.parent, excluded.waiting)
"""
UNRELATE = """
delete from relations as known using unnest($1::bigint[], $2::text[]) as told (child, role)
where known.child = told.child and known.role = told.role
"""
AWAITED = f"""
with recursive awaited (parent, place) as (
    (select parent, 1 from relations where waiting and parent > $1 order by parent limit 1)
    union all
    select (select next.parent from relations as next where next.waiting and next.parent > awaited.parent order by next.parent limit 1),
        place + 1
    from awaited where awaited.parent is not null and place < $2
)
select awaited.parent, owner.id is not null, coalesce(owner.marketo_id is not null and not owner.gone, false),
    (select role from relations where waiting and parent = awaited.parent limit 1)
from awaited {_OWNER.format(record="awaited.parent", objects="$3")}
where awaited.parent is not null order by awaited.parent
"""  # noqa: S608 - statements of ours
"""Each parent that is waited for, once: a walk of the index from one to the next, however many wait for each."""
RELEASED = """
select children.child, children.role from unnest($1::text[]) as wanted (parent) cross join lateral (
    select child, role from relations where waiting and parent = wanted.parent order by child limit $2) as children
limit $2
"""
WAITS_NO_MORE = """
update relations as done set waiting = false from unnest($1::bigint[], $2::text[]) as told (child, role)
where done.child = told.child and done.role = told.role and done.parent = any($3::text[]) and done.waiting
returning done.child, done.role
"""
CHILDREN_OF = """
with parents as (
    select salesforce_id as id from pairs where id = any($1::bigint[]) and salesforce_id is not null
    union select id from former where pair = any($1::bigint[]) and system = 'salesforce'),
page as (
    select distinct children.child from parents cross join lateral (
        select child from relations where parent = parents.id and child > $2 order by child limit $3) as children
    order by children.child limit $3)
select page.child, r.role, r.parent from page join relations as r on r.child = page.child join parents on parents.id = r.parent
order by page.child
"""
DROP_RELATIONS_OF = "delete from relations where child = any($1::bigint[])"

BURY = """
insert into dead_letters (at, stage, reason, topic, partition, "offset", key, original)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::text[], $8::bytea[])
on conflict (topic, partition, "offset") do nothing
"""
"""A letter that was no message of a topic has no place there (nulls), and is kept as often as it comes."""
