-- Whose delivery it was, so that what is rare among the deliveries of one integration is found without a look at all the others.
alter table fate add column integration_id bigint not null default 0;
update fate set integration_id = d.integration_id from delivery d where d.delivery_id = fate.delivery_id;
create index fate_by_integration on fate (integration_id, state, delivery_id);
