-- The newest job of a lock key, over or not: what the page of routes, `GET …/front` and `skiff routes` ask for each time.
create index jobs_of_lock on jobs (team_id, lock_key, id desc) where lock_key is not null;
-- Lists go by the id, which says when too, and by what a job is about; by the time alone nobody asks any more. So a job costs as many
-- indexes as before.
drop index jobs_recent;
