//! The commands about one's own connection, one file each.
