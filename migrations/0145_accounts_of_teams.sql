-- A team has an account of its own at an authority, with its key sealed, and its hosts answer for it alone: what one team has proven, or
-- what leads to its hosts, is a proof for no other. The panel's one account of before cannot be given to any of them: each team registers
-- when it next asks, and an order that is under way at the authority is begun again.
drop table acme_accounts;
alter table panel drop column acme_thumbprint;
-- (Whoever owns the tables is held to the walls between teams like everybody, and would see no row.)
alter table acme_orders no force row level security;
update acme_orders set order_url = '', order_directory = '', order_key = null where order_url <> '';
alter table acme_orders force row level security;

create table acme_accounts (
  team_id uuid not null references teams(id),
  id uuid not null,
  directory text not null default '',
  eab_id text not null default '',      -- the key it was bound by
  url text not null default '',
  thumbprint text not null default '',
  sealed bytea not null default '',
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  unique (team_id, directory, eab_id)
);
alter table acme_accounts enable row level security;
alter table acme_accounts force row level security;
create policy own_team on acme_accounts using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));

-- Whether an order's job is under way is asked for every order: not of the whole history of jobs.
create index jobs_of_acme_order on jobs (team_id, (args->>'order')) where kind = 'obtain_certificate' and finished_at is null;
