-- Invitations to a team: a link for one person, for some days. Of the link there is only the SHA-256 of its token.
create table invitations (
  team_id uuid not null references teams(id),
  id uuid not null,
  token_hash bytea not null unique,
  note text not null default '',        -- whom it is for, as the inviter calls them
  grants jsonb not null,                -- domain::rights::Grant[]
  words text not null,                  -- the same as people read it
  invited_by uuid not null references accounts(id),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  used_by uuid references accounts(id),
  revoked_at timestamptz,
  primary key (team_id, id),
  check ((used_at is null) = (used_by is null))
);
create index invitations_recent on invitations (team_id, created_at desc);
alter table invitations enable row level security;
alter table invitations force row level security;
create policy own_team on invitations using (team_id = (select skiff_team())) with check (team_id = (select skiff_team()));
-- Whose invitation a link is has to be found before a team is chosen.
create policy door on invitations for select using ((select skiff_scope('door')));


do $$
declare role text;
begin
  for role in select rolname from pg_roles where rolname in ('skiff_app', 'skiff_worker')
  loop
    execute format('grant select, insert, update, delete on invitations to %I', role);
  end loop;
end $$;
