-- What a repository without a Dockerfile is built with, and what came of the last look at it.
alter table sources
  add column dockerfile text check (octet_length(dockerfile) between 1 and 70000),
  add column dockerfile_by text not null default '',   -- who wrote it; empty: Skiff
  add column dockerfile_at timestamptz,
  add column look jsonb,                               -- domain::dockerfile::Look
  add column looked_at timestamptz,
  add constraint dockerfile_dated check ((dockerfile is null) = (dockerfile_at is null)),
  add constraint look_dated check ((look is null) = (looked_at is null));

-- The text a release was built with, where it was not the repository's own.
alter table releases add column dockerfile text;
