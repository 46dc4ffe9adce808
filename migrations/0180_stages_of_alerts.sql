-- How far trouble has come, for whom it was told: it is told anew when it has come further. Empty for trouble that has no stages.
alter table alerts add column stage text not null default '';
