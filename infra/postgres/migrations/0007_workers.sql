-- Which workers live, what each does and what it finds wrong; a worker writes its row every few seconds.

create table workers (
    worker text primary key,              -- host:pid:random
    roles text[] not null,
    troubles text not null,               -- consumers.troubles.trouble.Trouble, a JSON list
    beat_at timestamptz not null          -- this server's clock
);
