-- The images that the page shows: its logo and its icon. Settings name them by their hashes.
create table page_image (
    -- Half of the SHA-256 of the content, in hexadecimal.
    digest  text primary key,
    -- png, jpeg, webp or svg
    kind    text not null,
    content bytea not null
);
