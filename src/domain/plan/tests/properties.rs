//! What holds for anything that may be said and done, in any order.
