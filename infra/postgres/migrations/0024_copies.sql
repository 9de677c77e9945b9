-- First copies that were asked for (consumers/copy). How far each of its sources is stands in source_positions.

create table copies (
    id bigint generated always as identity primary key,
    state text not null check (state in ('running', 'paused', 'done', 'cancelled')),
    began_ms bigint not null,
    ended_ms bigint,
    ran_ms bigint not null default 0,        -- how long it has been at work
    trouble text not null default '',        -- what it waits for
    quote text not null                      -- consumers.copy.quote.Quote, JSON: what was said before it began
);
create unique index copies_open on copies ((true)) where state in ('running', 'paused');
