-- What held before a change that not every proxy has yet: where one of them refuses it, also after days or another run, that is what
-- everything goes back to. None once all of them have it.
alter table routes add column former jsonb;         -- the JSON null where the route had not been let in
alter table apps add column front_former jsonb;
alter table hosts add column trust_former jsonb;
