-- So that what was sent about one incident or maintenance is listed a page at a time, however much else was sent.
create index notification_by_subject on notification (thread, notification_id) where thread is not null;
