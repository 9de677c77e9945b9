-- Conflicts that wait for a person, as far as crm.conflicts.v1 has told it (consumers.publish.conflicts): which message said so, no values.

create table conflicts_waiting (
    pair bigint not null,
    field text not null,
    block bigint not null,                -- the decision that began it: its block,
    place integer not null,               -- and its place in there
    primary key (pair, field)
);
