-- Hosts that renew their certificates themselves while the panel is gone: what was written there for that, and when they last saw the panel.
create table host_renewals (
  team_id uuid not null,
  host_id uuid not null,
  digest text not null default '',      -- of what was written there last; empty before it was all there
  visited_at timestamptz not null default now(),
  trouble text not null default '',     -- why the last try to set it up failed
  primary key (team_id, host_id),
  foreign key (team_id, host_id) references hosts(team_id, id) on delete cascade
);

do $$
declare role text;
begin
  alter table host_renewals enable row level security;
  alter table host_renewals force row level security;
  create policy own_team on host_renewals using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
  for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
  loop
    execute format('grant select, insert, update, delete on host_renewals to %I', role);
  end loop;
end $$;
