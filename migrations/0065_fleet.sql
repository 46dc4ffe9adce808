-- One app on several hosts: who builds, how images travel, and under which address hosts reach one another.

alter table hosts
  -- It builds for the others. Where no host does, the first host of an app builds it.
  add column builds boolean not null default false,
  -- The port of the image registry on its loopback, once one runs there, and the password of that registry.
  add column registry_port int check (registry_port between 1 and 65535),
  add column registry_key uuid,
  -- The address under which the team's other hosts reach it: wanted, and as its proxy listens since it was last made ready.
  add column private_address inet,
  add column peer_address inet,
  add foreign key (team_id, registry_key) references secrets(team_id, id);

-- Which other hosts the proxy of a host sends an app's requests to, and how many instances are there.
create table ledger_peers (
  team_id uuid not null,
  host_id uuid not null,
  app_id uuid not null,
  peer_id uuid not null,
  weight smallint not null check (weight between 1 and 64),
  primary key (host_id, app_id, peer_id),
  check (host_id <> peer_id),
  foreign key (team_id, host_id) references hosts(team_id, id) on delete cascade,
  foreign key (team_id, app_id) references apps(team_id, id) on delete cascade,
  foreign key (team_id, peer_id) references hosts(team_id, id) on delete cascade
);
alter table ledger_peers enable row level security;
alter table ledger_peers force row level security;
create policy own_team on ledger_peers using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));

do $$
declare role text;
begin
  for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
  loop
    execute format('grant select, insert, update, delete on ledger_peers to %I', role);
  end loop;
end $$;
