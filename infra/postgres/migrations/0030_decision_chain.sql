-- The chain over the blocks of decisions (decision 36): made behind the outbox, from what is published, so that deciding costs nothing more.

create table decision_links (
    block bigint primary key,             -- of decision_blocks
    hash bytea not null                   -- of the block and of the hash before it: consumers.ledger.postgres.chain
);
