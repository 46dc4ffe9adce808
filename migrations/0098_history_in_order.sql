-- History is read by time and, of one moment, by id: the index has both, so that a page of it is a walk along the index.
drop index audit_events_recent;
create index audit_events_recent on audit_events (team_id, at desc, id desc);
