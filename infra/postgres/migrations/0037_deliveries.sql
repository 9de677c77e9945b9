-- Named subscriptions for those without Kafka (consumers.deliveries): what each wants of a topic, how far it is, and how its calls go.

create table deliveries (
    id bigint generated always as identity primary key,
    name text not null unique,
    topic text not null,
    way text not null,                    -- webhook: we call; events: they listen (server-sent events)
    url text not null default '',         -- of a webhook
    choice jsonb not null,                -- consumers.subscriptions.message.Choice: which messages
    revealed boolean not null default false,
    state text not null default 'active', -- active, paused, or disabled by the receiver
    why text not null default '',         -- in whose words it is paused or disabled
    revision bigint not null default 1,   -- counts every change by hand and every runner that takes it on: whoever is of an earlier one is over
    places jsonb not null,                -- partition -> offset of the next message: all before are delivered, or were not asked for
    created_at bigint not null,
    created_by text not null,
    changed_at bigint not null,
    delivered bigint not null default 0,  -- messages that were taken, ever
    delivered_at bigint not null default 0,
    missed bigint not null default 0,     -- messages that Kafka let go of before they were delivered
    attempts integer not null default 0,  -- at the message in hand
    next_at bigint not null default 0,    -- when it is tried again; 0: nothing failed
    failing_since bigint not null default 0,
    trouble text not null default ''      -- why the last attempt failed, without anything that was sent
);

create table delivery_secrets (
    delivery bigint not null references deliveries (id) on delete cascade,
    secret text not null,
    created_at bigint not null,
    until bigint not null default 0,      -- 0: in use; else: replaced, still signs until then
    primary key (delivery, secret)
);
