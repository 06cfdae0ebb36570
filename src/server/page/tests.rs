//! The page as its readers and their programs get it.

mod archive;
mod documents;
mod embed;
mod headers;
mod headline;
mod injection;
mod sample;
mod serving;
mod v2;
