-- Pairs that are no more (part of another one, or forgotten): until the state topics have told it (consumers.publish.states).

create table pairs_ended (
    pair bigint primary key,
    object text not null                  -- what it was in Salesforce
);

create function pair_ended() returns trigger language plpgsql security definer set search_path from current as $$
begin
    insert into pairs_ended (pair, object) values (old.id, old.salesforce_object) on conflict do nothing;
    return null;
end $$;
create trigger pair_ended after delete on pairs for each row execute function pair_ended();
