//! The page as its readers and their programs get it.

mod documents;
mod headline;
mod injection;
mod sample;
mod serving;
mod v2;
