-- The panel's own name in the labels of what it makes: two panels on one host do not touch each other's things.
alter table panel add column id uuid not null default gen_random_uuid();
