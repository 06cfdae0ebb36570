-- So that subscribers are listed by their addresses, a page at a time, however many there are.
create index subscriber_by_address on subscriber (address, subscriber_id);
