-- Whether an incident or a maintenance is about components, if only about some that are gone since. What is about none in particular is
-- shown to everyone; what is about components that are all hidden or gone, to nobody.
alter table incident add column scoped boolean not null default false;
update incident set scoped = true
 where opened_by is not null or exists (select 1 from incident_component c where c.incident_id = incident.incident_id);
alter table maintenance add column scoped boolean not null default false;
update maintenance set scoped = true
 where exists (select 1 from maintenance_component c where c.maintenance_id = maintenance.maintenance_id);

-- Set when a person ended the incident of a cause that still counted: readers see nothing of it until it gets worse than this status.
alter table cause add column muted_up_to text;
create index cause_by_incident on cause (incident_id) where incident_id is not null;
