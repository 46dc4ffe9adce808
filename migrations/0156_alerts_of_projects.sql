-- The project that a thing in trouble belongs to, where it belongs to one: who is told of a project alone is told of that.
alter table alerts add column project_id uuid;
