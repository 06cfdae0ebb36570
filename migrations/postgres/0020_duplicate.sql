-- Deliveries that came again, counted: the first of each is kept, and the others say nothing new.
create table duplicate (
    integration_id bigint primary key references integration (integration_id) on delete cascade,
    n              bigint not null,
    first_at       bigint not null,
    last_at        bigint not null,
    -- The sender's id of the last one.
    external_id    text not null
);
