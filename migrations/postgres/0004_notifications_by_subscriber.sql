-- What is open has no `done_at`. SQLite, which knows nothing of how many rows have which state, prefers the index by state to one over
-- the open states, and sorts all that are open for the oldest of them; an index that names no state leaves it no choice.
drop index notification_open;
create index notification_open on notification (next_at, notification_id) where done_at is null;
-- Who waits for something, and for what first: without a look at everything else that waits.
create index notification_waiting on notification (subscriber_id, next_at, notification_id) where done_at is null;
