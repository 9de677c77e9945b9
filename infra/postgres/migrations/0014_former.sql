-- Every id that was ever somebody's, and whose pair it belongs to since (a merge's loser, a converted lead): so that what is told of it late
-- finds whom it is about. Read only for ids that no pair has.

create table former (
    system text not null,
    object text not null,
    id text not null,
    pair bigint not null,
    primary key (system, object, id)
);
create index former_pair on former (pair);
