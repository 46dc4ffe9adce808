-- The ways in to a host: through another server, and with something that was given once.

-- The server that stands in between. It is known by a key of its own, looked at and pinned like a host's.
alter table hosts
  add column jump_address text,
  add column jump_port int check (jump_port between 1 and 65535),
  add column jump_user text,
  add column jump_host_key text not null default '',        -- pinned; empty until confirmed
  add column jump_key_seen text not null default '',        -- shown, and confirmed by nobody yet
  add column jump_key_seen_kind text not null default '',
  add constraint jump_is_whole
    check ((jump_address is null) = (jump_port is null) and (jump_address is null) = (jump_user is null));

-- A password or a private key that was given for one sign-in, sealed. Gone when it was used, and an hour after it was
-- given in any case.
create table host_passes (
  team_id uuid not null,
  host_id uuid not null,
  id uuid not null,                     -- what it is sealed for
  sealed bytea not null,
  given_at timestamptz not null default now(),
  primary key (team_id, host_id),
  foreign key (team_id, host_id) references hosts(team_id, id) on delete cascade
);
alter table host_passes enable row level security;
alter table host_passes force row level security;
create policy own_team on host_passes using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
-- Whoever sweeps across teams sees only what is too old.
create policy old on host_passes using ((select skiff_scope('worker')) and given_at < now() - interval '1 hour')
  with check (false);
do $$
declare role text;
begin
  for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
  loop
    execute format('grant select, insert, update, delete on host_passes to %I', role);
  end loop;
end $$;

-- Two hosts that are added at once do not get the same number: who asks for one holds them until it is taken. The number
-- here is the function's own name among the locks (its first letters as bytes).
create or replace function skiff_free_host_number() returns smallint language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(x'736b6e756d'::bigint);
  -- A statement of its own: it sees what whoever held the lock before has committed.
  return (select n::smallint from generate_series(0, 251) as n
           where not exists (select from host_numbers taken where taken.number = n) order by n limit 1);
end $$;
