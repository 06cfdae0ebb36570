-- How the sources of a component add up, as JSON; null for the worst of them. What single integrations weigh stands apart, so that it goes
-- with them.
alter table component add column combine text;
create table component_weight (
    component_id   bigint not null references component (component_id) on delete cascade,
    integration_id bigint not null references integration (integration_id) on delete cascade,
    weight         integer not null,
    primary key (component_id, integration_id)
);
create index component_weight_by_integration on component_weight (integration_id);

-- What depends on what, and what the trouble of the one means for the other.
create table component_dependency (
    component_id bigint not null references component (component_id) on delete cascade,
    upstream_id  bigint not null references component (component_id) on delete cascade,
    effect       text not null,
    -- How long silence goes on after the upstream's trouble, and until when it goes on now.
    settle       bigint not null,
    quiet_until  bigint,
    primary key (component_id, upstream_id, effect)
);
create index component_dependency_by_upstream on component_dependency (upstream_id);

-- When a component was not operational for readers, for as long as facts that come late may correct it. The running status is not here.
create table component_span (
    component_id bigint not null references component (component_id) on delete cascade,
    since        bigint not null,
    until        bigint not null,
    status       text not null,
    primary key (component_id, since)
);
create index component_span_by_age on component_span (until);

-- When an incident was added that had been over by then; null for those that were told of while they lasted.
alter table incident add column added_at bigint;
