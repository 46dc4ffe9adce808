-- Who may write a host's proxy file now. A lock is worth as much as the lease of the job that holds it: a worker that
-- was stopped or cut off loses both at the same moment, and nobody has to wait for its connection to die.
create table host_locks (
  team_id uuid not null,
  host_id uuid not null,
  job_id uuid not null,
  fence bigint not null,
  taken_at timestamptz not null default now(),
  primary key (team_id, host_id),
  foreign key (team_id, host_id) references hosts(team_id, id)
);
alter table host_locks enable row level security;
alter table host_locks force row level security;
create policy own_team on host_locks using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
