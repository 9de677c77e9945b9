-- How far each table of the ledger has been published: all rows up to this id are acknowledged by Kafka, or never were.

create table outbox (
    relation text primary key,            -- decisions, dead_letters
    published bigint not null,
    saved_ms bigint not null
);
