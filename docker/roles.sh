#!/bin/sh
# Run once by the image of Postgres, when its volume is new: the three roles of the panel, none of them a superuser (those
# pass by row-level security), and their database.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
create role skiff_owner login nosuperuser nocreatedb nocreaterole password :'password';
create role skiff_app login nosuperuser nocreatedb nocreaterole password :'password';
create role skiff_worker login nosuperuser nocreatedb nocreaterole password :'password';
create database skiff owner skiff_owner;
SQL
