-- Whether all of a batch has ended is asked for every batch that Marketo waits for, twice a second.

create index errands_open on errands (batch) where state = 'open';
