-- Whether a host is still as it was made: what came of the last look, and when that was.
alter table hosts
  add column checked jsonb,
  add column checked_at timestamptz;

-- When the next one is due: spread over the day, so that a hundred hosts are not asked in one minute. It stands with the other
-- turns of workers, who see these across teams.
alter table host_sights
  add column check_at timestamptz not null default now() + random() * interval '1 day';
create index host_sights_check on host_sights (check_at);
