-- Who is signed in to the console, and one-time links that sign somebody in. What has ended is swept out at the next sign-in.

create table console_sessions (
    token bytea primary key,              -- SHA-256 of what the browser, or the link, carries
    link boolean not null,                -- not a session yet: it is used up by signing in
    who text not null,
    role text not null,
    made_at bigint not null,              -- ms, ours
    ends_at bigint not null,
    revealed_until bigint not null default 0  -- personal data is shown until then
);
create index console_sessions_end on console_sessions (ends_at);
