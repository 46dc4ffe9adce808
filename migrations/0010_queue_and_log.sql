-- What the queue and the log of jobs keep beside the tables of 0001: the end of every log, months as partitions,
-- rows that follow their job to its end, and wake-ups nobody has to remember to send.

-- ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────────

-- Where the log of a job ends. The row is what two writers wait for, so that numbers have no gap and no double.
create table job_log_ends (
  team_id uuid not null,
  job_id uuid not null,
  seq bigint not null,                  -- the last line's
  bytes bigint not null,                -- of the whole log, newlines counted
  primary key (team_id, job_id),
  foreign key (team_id, job_id) references jobs(team_id, id) on delete cascade
);
alter table job_log_ends enable row level security;
alter table job_log_ends force row level security;
create policy own_team on job_log_ends
  using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));

-- Policies hold for the table a query names: a partition that is named itself must show nothing.
alter table job_log_rest enable row level security;
alter table job_log_rest force row level security;

-- Makes the partitions of this month and the next. Called at every start and now and then; nearly always finds them.
-- Runs as the owner of the tables, as it makes one. Rows that already went to the rest stay there, and so does their
-- month.
create function skiff_job_log_months() returns void language plpgsql security definer set search_path = public as $$
declare
  first date;
  part text;
begin
  for first in select generate_series(date_trunc('month', now()), date_trunc('month', now()) + interval '1 month', interval '1 month')::date
  loop
    part := 'job_log_' || to_char(first, 'YYYY_MM');
    continue when to_regclass(part) is not null;
    begin
      execute format('create table %I partition of job_log for values from (%L) to (%L)', part,
        first::timestamptz, (first + interval '1 month')::timestamptz);
      execute format('alter table %I enable row level security', part);
      execute format('alter table %I force row level security', part);
    exception when check_violation or duplicate_table then
      null;
    end;
  end loop;
end $$;
select skiff_job_log_months();

-- Job ids grow with time: a team's newest jobs, and those that are not over, in order.
create index jobs_unfinished on jobs (team_id, id) where finished_at is null;

-- ── what follows a job to its end ────────────────────────────────────────────────────────────────────────────────

-- A job may end without its own code having the last word: overtaken, cancelled while it waited, out of time, its
-- worker lost too often. Its deploy and its steps end with it, in the same transaction. The team is set for that, as
-- the queue works across teams.
create function skiff_job_ended() returns trigger language plpgsql as $$
declare
  former text := coalesce(current_setting('skiff.team', true), '');
begin
  perform set_config('skiff.team', new.team_id::text, true);
  update deploys set state = new.state, finished_at = now()
   where team_id = new.team_id and job_id = new.id and finished_at is null;
  update job_steps
     set state = case state when 'running' then 'failed' else 'skipped' end,
         finished_at = case state when 'running' then now() end
   where team_id = new.team_id and job_id = new.id and state in ('planned', 'running');
  perform set_config('skiff.team', former, true);
  return null;
end $$;
create trigger jobs_ended after update of state on jobs
  for each row when (old.finished_at is null and new.finished_at is not null) execute function skiff_job_ended();

-- ── wake-ups ─────────────────────────────────────────────────────────────────────────────────────────────────────

create function skiff_tell_team() returns trigger language plpgsql as $$
begin
  perform pg_notify('skiff', 'team:' || case tg_op when 'DELETE' then old.team_id else new.team_id end);
  return null;
end $$;

create function skiff_tell_job() returns trigger language plpgsql as $$
begin
  perform pg_notify('skiff', 'team:' || new.team_id);
  perform pg_notify('skiff', 'job:' || new.id);
  return null;
end $$;

-- Not at every heartbeat: only where a person can see a difference.
create trigger jobs_tell_new after insert on jobs for each row execute function skiff_tell_job();
create trigger jobs_tell after update on jobs for each row
  when (old.state <> new.state or old.fence <> new.fence or old.wait_reason <> new.wait_reason
        or old.cancel_asked_at is distinct from new.cancel_asked_at)
  execute function skiff_tell_job();
create function skiff_tell_step() returns trigger language plpgsql as $$
begin
  perform pg_notify('skiff', 'team:' || new.team_id);
  perform pg_notify('skiff', 'job:' || new.job_id);
  return null;
end $$;
create trigger job_steps_tell after insert or update on job_steps for each row execute function skiff_tell_step();

create trigger hosts_tell_new after insert or delete on hosts for each row execute function skiff_tell_team();
create trigger hosts_tell after update on hosts for each row
  when (old.state <> new.state or old.state_note <> new.state_note or old.name <> new.name or old.address <> new.address
        or old.facts <> new.facts)
  execute function skiff_tell_team();

do $$
declare name text;
begin
  foreach name in array array['members', 'grants', 'projects', 'environments', 'sources', 'apps', 'routes', 'releases',
    'deploys', 'ledger_volumes', 'ledger_instances']
  loop
    execute format('create trigger %I after insert or update or delete on %I for each row execute function skiff_tell_team()',
      name || '_tell', name);
  end loop;
end $$;

-- ── rights of the panel's own roles ──────────────────────────────────────────────────────────────────────────────

-- Called after every migration, so that no later table is forgotten.
create function skiff_grant() returns void language plpgsql as $$
declare role text;
begin
  for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
  loop
    execute format('grant usage on schema public to %I', role);
    execute format('grant select, insert, update, delete on all tables in schema public to %I', role);
    execute format('revoke update, delete on audit_events from %I', role);
    execute format('revoke insert, update, delete on _sqlx_migrations from %I', role);
    execute format('grant execute on all functions in schema public to %I', role);
  end loop;
end $$;
revoke execute on function skiff_grant() from public;
