//! Reading the number of a database, for MOVE and COPY.

use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, DataSettings};

/// The database that `text` names.
pub fn parse_database(text: &[u8], settings: &DataSettings) -> Result<u32, CommandError> {
    let number = parse_i64(text).ok_or(CommandError::NotInteger)?;
    if i32::try_from(number).is_err() {
        let (low, high) = (i32::MIN, i32::MAX);
        return Err(CommandError::err(format!("value is out of range, value must between {low} and {high}")));
    }
    u32::try_from(number).ok().filter(|db| (*db as usize) < settings.databases).ok_or(CommandError::DbIndexOutOfRange)
}
