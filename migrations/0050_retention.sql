-- What is kept and for how long. How long is the program's to say (domain/retention.rs).

-- A release that is not kept any more: its image and files are gone from the hosts, its row stays as history. Nothing
-- else of a release ever changes.
alter table releases add column retired_at timestamptz;
drop trigger releases_append_only on releases;
create trigger releases_append_only
  before update of team_id, id, app_id, number, body, source, created_by, created_at on releases
  for each row execute function refuse_change();

-- When a team's old things are looked through next. Whoever moves the time on has the turn.
alter table teams add column tidy_at timestamptz not null default now() + interval '1 day';

-- Drops the months of the log that ended so many days ago, as a whole. Runs as the owner of the tables. Waits for
-- nobody: a month that is being read goes at the next try.
create function skiff_job_log_drop(days int) returns setof text language plpgsql security definer set search_path = public as $$
declare
  part text;
begin
  set local lock_timeout = '2s';
  for part in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'job_log'::regclass and c.relname ~ '^job_log_\d{4}_\d{2}$'
       and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= now() - make_interval(days => days)
     order by 1
  loop
    begin
      execute format('drop table %I', part);
      return next part;
    exception when lock_not_available then
      null;
    end;
  end loop;
end $$;
