-- What becomes of a delivery stands beside it, so that what may be long is written once. No foreign keys on what every webhook writes: looking
-- each of them up costs more than the rest, and whoever removes an integration removes its deliveries.
create table fate (
    delivery_id  integer primary key,
    state        text not null,
    reason       text,
    signals      text,
    -- Its place in the order of decisions, and the evaluator's time then.
    position     bigint not null,
    evaluated_at bigint not null
);
insert into fate (delivery_id, state, reason, signals, position, evaluated_at)
    select delivery_id, state, reason, signals, coalesce(position, 0), coalesce(evaluated_at, received_at) from delivery where state <> 'pending';
create index fate_by_position on fate (position);
-- The rare ones.
create index fate_quarantined on fate (delivery_id) where state = 'quarantined';
create index fate_ignored on fate (delivery_id) where state = 'ignored';

-- Those that nobody has looked at yet. Found by this row and not by their id: ids do not commit in order.
create table pending (
    delivery_id integer primary key
);
insert into pending (delivery_id) select delivery_id from delivery where state = 'pending';

create table delivery_as_it_came (
    delivery_id    integer primary key,
    integration_id bigint not null,
    -- The sender's own id, or a random one when it has none.
    external_id    text not null,
    received_at    bigint not null,
    headers        text not null,
    body           blob not null,
    unique (integration_id, external_id)
);
insert into delivery_as_it_came (delivery_id, integration_id, external_id, received_at, headers, body)
    select delivery_id, integration_id, external_id, received_at, headers, body from delivery order by delivery_id;
drop table delivery;
alter table delivery_as_it_came rename to delivery;
create index delivery_by_integration on delivery (integration_id, delivery_id);
create index delivery_by_age on delivery (received_at);
