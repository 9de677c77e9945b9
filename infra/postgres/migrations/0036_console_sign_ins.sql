-- Sign-ins by an identity provider that were begun, and not finished yet.

create table console_sign_ins (
    state bytea primary key,              -- SHA-256 of what the browser carries there and back
    nonce text not null,
    verifier text not null,
    page text not null,                   -- where it leads to
    ends_at bigint not null               -- ms, ours
);
create index console_sign_ins_end on console_sign_ins (ends_at);
