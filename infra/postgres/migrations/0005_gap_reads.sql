-- Which reconciliation polls have read back over a gap; it is closed once all of its system's have.

create table gap_reads (
    gap bigint not null references gaps (id) on delete cascade,
    poll text not null,
    primary key (gap, poll)
);
