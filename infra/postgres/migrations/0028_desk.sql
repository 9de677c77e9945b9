-- The desk: what people did with dead letters. Those that are open are found by an index of their own.

alter table dead_letters
    add column attempts jsonb not null default '[]',      -- who tried what, and when: [{"at": ms, "who": "...", "what": "..."}]
    add column closed_ms bigint,                           -- null: it waits for somebody
    add column closed_how text;                            -- retried, discarded
create index dead_letters_open on dead_letters (id) where closed_ms is null;
