-- A kind of record that can't be compared is not proven: the round of its part begins anew later. Times are ms since the epoch, ours.

alter table audits
    add column why text not null default '',            -- why it could not be compared the last time; empty: it could
    add column again_ms bigint not null default 0;      -- not before then
