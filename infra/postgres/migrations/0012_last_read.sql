-- What the last message was that was read of a partition: a topic that was made anew is known by another one in its place.

alter table partition_offsets add column last_read bigint;  -- a fingerprint; null: not noted
