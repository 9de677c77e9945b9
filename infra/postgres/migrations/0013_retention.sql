-- What is let go after its time is found by an index: nobody reads a table for it. On the pairs only `gone`, which hardly ever changes:
-- an index on `updated_at` would have to be written with every change of a pair.

create index pairs_gone on pairs (id) where gone;
create index dead_letters_at on dead_letters (at);
create index cycles_at on cycles (at);
create index gaps_closed on gaps (closed_ms) where closed_ms is not null;
create index budget_spent_day on budget_spent (day);
