-- Who looks at which host now, and when it is due again. A second process shares the work and takes over what a dead
-- one leaves.
create table host_sights (
  team_id uuid not null,
  host_id uuid not null,
  due_at timestamptz not null default now(),
  leased_by text,
  lease_until timestamptz,
  failures int not null default 0,      -- looks in a row that found nobody
  primary key (team_id, host_id),
  foreign key (team_id, host_id) references hosts(team_id, id) on delete cascade
);
alter table host_sights enable row level security;
alter table host_sights force row level security;
create policy own_team on host_sights using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
create policy claim on host_sights using ((select skiff_scope('worker'))) with check ((select skiff_scope('worker')));

insert into host_sights (team_id, host_id) select team_id, id from hosts;
create function skiff_new_host_sight() returns trigger language plpgsql as
$$ begin insert into host_sights (team_id, host_id) values (new.team_id, new.id); return null; end $$;
create trigger hosts_sight after insert on hosts for each row execute function skiff_new_host_sight();
do $$
declare role text;
begin
  for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
  loop
    execute format('grant select, insert, update, delete on host_sights, host_locks to %I', role);
  end loop;
end $$;
