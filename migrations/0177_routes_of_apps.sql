-- A host's proxy is written from the routes of each of its apps: with a thousand of them, walking all for every app took ten milliseconds.
create index routes_of_app on routes (team_id, app_id);
