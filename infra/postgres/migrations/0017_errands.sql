-- What somebody has asked to be done once, in Salesforce, for people of Marketo's: by a flow step or by a command. Times are ms, ours.

create table errand_batches (
    id bigint generated always as identity primary key,
    name text not null unique,            -- asked again under the same name, it is the same batch
    asked_by text not null,               -- in words
    asked_at bigint not null,
    callback jsonb,                       -- where Marketo waits for the outcome, with its one-time secrets; gone once it has it
    call_at bigint not null,              -- when it is called back at the earliest
    calls integer not null default 0,
    told text not null default ''         -- how the last call went, in words
);
create index errand_batches_calls on errand_batches (call_at) where callback is not null;
create index errand_batches_age on errand_batches (asked_at);

create table errands (
    id bigint generated always as identity primary key,
    batch bigint not null references errand_batches on delete cascade,
    name text not null unique,
    asked_person text not null,           -- the Marketo id, as it was asked for
    person text not null,                 -- under which the ledger knows the person: another one since a merge
    request jsonb,                        -- consumers.errands.errand.Request; null: it made no sense, and is over
    state text not null default 'open' check (state in ('open', 'done', 'failed')),
    due_at bigint not null,
    introduced boolean not null default false,
    tried_at bigint not null default 0,   -- a call was made whose answer isn't known
    attempts integer not null default 0,
    record text not null default '',      -- what was made or found in Salesforce
    code text not null default '',
    reason text not null default '',
    ended_at bigint
);
create index errands_due on errands (due_at) where state = 'open';
create index errands_batch on errands (batch);
