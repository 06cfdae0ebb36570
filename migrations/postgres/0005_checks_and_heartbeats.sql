-- The verdicts of a check's last rounds, oldest first: a digit each, 0 for good, 1 for a warning, 2 for a failure. And when a round was
-- last stored: those that say nothing new are stored now and then, for metrics.
alter table poll add column verdicts text not null default '';
alter table poll add column stored_at bigint;

-- Until when the next ping of a heartbeat has to come. The pings themselves are deliveries; what stands here follows from them.
create table heartbeat (
    integration_id bigint primary key references integration (integration_id) on delete cascade,
    -- The settings that the deadline was worked out from.
    source         text not null,
    -- The newest ping that was taken account of.
    ping_id        bigint,
    pinged_at      bigint,
    -- Null while nothing is awaited.
    due_at         bigint,
    overdue        text
);

-- When somebody last looked whether pings are overdue: what was not watched cannot be missed. One row.
create table heartbeat_watch (
    watch_id   integer primary key check (watch_id = 1),
    watched_at bigint not null
);
