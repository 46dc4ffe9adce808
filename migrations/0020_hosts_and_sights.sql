-- The public half of a host's key pair stands beside it: it is shown, so that a person can paste it.
alter table hosts add column ssh_public text not null default '';
-- A fingerprint that a host showed and nobody has confirmed yet.
alter table hosts add column host_key_seen text not null default '';

-- What an instance was last seen to be, and when: pages show both.
alter table ledger_instances add column seen text not null default ''
  check (seen in ('', 'up', 'created', 'ended', 'missing'));
alter table ledger_instances add column seen_at timestamptz;

-- Host numbers are unique on the whole panel, and row-level security hides other teams' hosts: which numbers are taken
-- stands in a table without teams, kept by a trigger.
create table host_numbers (
  number smallint primary key check (number between 0 and 251),
  host_id uuid not null
);
insert into host_numbers select number, id from hosts;
create function skiff_free_host_number() returns smallint language sql stable as $$
  select n::smallint from generate_series(0, 251) as n
   where not exists (select from host_numbers taken where taken.number = n) order by n limit 1
$$;
create function note_host_number() returns trigger language plpgsql as
$$ begin
  if tg_op = 'DELETE' then
    delete from host_numbers where host_id = old.id;
    return old;
  end if;
  insert into host_numbers values (new.number, new.id);
  return new;
end $$;
create trigger hosts_number after insert or delete on hosts for each row execute function note_host_number();
