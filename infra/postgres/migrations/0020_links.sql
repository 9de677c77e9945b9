-- Which campaign is linked with which program, one to one (`tandem link`); and the members of a program in the order of their names, so
-- that they can be gone through some at a time.

create table campaign_links (
    campaign text primary key,            -- Salesforce id
    program text not null unique,         -- Marketo id
    winner text not null,                 -- whose status stands in a conflict: salesforce, marketo
    backwards text not null,              -- what happens to a status that goes back: refuse, again
    linked_ms bigint not null             -- ours
);

create index pairs_members on pairs (marketo_id collate "C") where marketo_object = 'member';
