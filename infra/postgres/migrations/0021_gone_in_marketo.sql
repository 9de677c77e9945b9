-- Whether a pair's record in Marketo was deleted: nobody is written as its child then, until there is one again. The version before
-- doesn't fill it, and takes such a parent for there until Marketo says that it isn't.

alter table pairs add column gone_in_marketo boolean not null default false;
