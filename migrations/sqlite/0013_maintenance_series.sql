-- Maintenances that come back. Their windows are ordinary maintenances, made ahead of time.
create table maintenance_series (
    -- Never given twice: windows of a series that is gone keep its number.
    series_id integer primary key autoincrement,
    key       text not null unique,
    title     text not null,
    body      text not null default '',
    -- By the clock on the page's wall: `2026-12-01T02:00`.
    starts_at text not null,
    duration  bigint not null,
    -- RFC 5545: `FREQ=WEEKLY;BYDAY=TU`.
    rule      text not null,
    -- Days of the rule that are left out: JSON.
    except_on text not null default '[]',
    -- How long before each window subscribers are told.
    announce  bigint not null,
    scoped    boolean not null default false,
    -- When more windows are to be made; 0 after a change, null if there are no more.
    lay_at    bigint
);
create table maintenance_series_component (
    series_id    bigint not null references maintenance_series (series_id) on delete cascade,
    component_id bigint not null references component (component_id) on delete cascade,
    primary key (series_id, component_id)
);
create index maintenance_series_component_by_component on maintenance_series_component (component_id);

-- The series that a maintenance belongs to, and the day of it that it stands for. No foreign key: what becomes of the windows of a
-- series that ends is decided with everything else that follows, and until then they must say whose they are.
alter table maintenance add column series_id bigint;
alter table maintenance add column occurrence text;
-- Whether a person changed it, so that changes of its series leave it as it is.
alter table maintenance add column apart boolean not null default false;
-- When subscribers will be told that it is planned; null once they have been.
alter table maintenance add column announce_at bigint;
-- Each day of a series once, however many processes make windows.
create unique index maintenance_occurrence on maintenance (series_id, occurrence) where series_id is not null;
