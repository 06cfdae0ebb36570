-- What incidents may begin with.
create table incident_template (
    template_id integer primary key autoincrement,
    key         text not null unique,
    name        text not null,
    title       text not null,
    body        text not null default '',
    -- Where the incident stands.
    status      text not null
);
-- What it affects, and how.
create table incident_template_component (
    template_id  bigint not null references incident_template (template_id) on delete cascade,
    component_id bigint not null references component (component_id) on delete cascade,
    status       text not null,
    primary key (template_id, component_id)
);
create index incident_template_component_by_component on incident_template_component (component_id);

-- What is being written about an incident that is over. Once readers may see it, it is an entry of the incident's timeline.
create table postmortem_draft (
    incident_id bigint primary key references incident (incident_id) on delete cascade,
    body        text not null,
    author      text not null,
    updated_at  bigint not null
);

-- When an entry was written anew, if it was.
alter table incident_update add column edited_at bigint;
