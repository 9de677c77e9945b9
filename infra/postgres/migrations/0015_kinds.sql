-- More kinds of record than people: ids are unique among records of one sort, and what belongs to what.

alter table pairs drop constraint pairs_salesforce_object_check;
alter table pairs add column marketo_object text not null default 'person';  -- what its Marketo record is called there
drop index pairs_marketo;
create unique index pairs_marketo on pairs (marketo_id, marketo_object) where marketo_id is not null;

create table relations (
    child bigint not null,                -- a pair
    role text not null,                   -- the field that names its parent, by its key
    parent text not null,                 -- the parent's Salesforce id
    waiting boolean not null,             -- the child is written once its parent is in Marketo
    primary key (child, role)
);
create index relations_parent on relations (parent, child);
create index relations_waiting on relations (parent, child) where waiting;
