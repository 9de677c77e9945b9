-- How people meet: who has an e-mail at all, who waits for whom, and what somebody has left that others wait for.

alter table pairs add column gone boolean not null default false;  -- no record of it is alive: nobody meets it
alter table pairs add column waits_for text;                       -- of an ambiguous match: the match key, or the record, that may end it
update pairs set waits_for = match_key where held like 'ambiguous match%';

create index pairs_alike on pairs (match_key, id) where match_key is not null;
drop index pairs_match;
create index pairs_waiting on pairs (waits_for, id) where waits_for is not null;

create table left_behind (what text primary key);                  -- match keys and records that changed hands, for those who wait for them
