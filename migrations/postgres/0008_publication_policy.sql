-- What else decides whether a route publishes, and when: JSON; null for what is usual.
alter table route add column policy text;

-- When a held draft publishes itself, kept when it was over before; and whether a person has said that it must not.
alter table incident add column publishes_at bigint;
alter table incident add column vetoed boolean not null default false;

-- The latest changes of what a route says, oldest first, for routes that damp flapping: JSON.
create table route_swing (
    route_id bigint primary key references route (route_id) on delete cascade,
    swings   text not null
);

-- After how long without a delivery an integration's silence is a signal of its own: milliseconds, or -1 for its own habit. Null for never.
alter table integration add column silent_after bigint;

-- Who is told by mail what only the owner may know: from the settings of the process that started last. One row.
create table page_owner (
    page_owner_id integer primary key check (page_owner_id = 1),
    address       text not null
);
