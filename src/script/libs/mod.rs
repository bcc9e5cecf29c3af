//! The libraries that scripts find besides Lua's own: `bit`, `struct`, `cmsgpack` and `cjson`. Each file makes one table.

mod bit;
mod cjson;
mod cmsgpack;
mod number;

mod structs;

pub(super) use number::general;

use mlua::{Lua, Result, Table};

/// All of them, by name.
pub fn all(lua: &Lua) -> Result<Vec<(&'static str, Table)>> {
    Ok(vec![
        ("bit", bit::table(lua)?),
        ("cjson", cjson::table(lua)?),
        ("cmsgpack", cmsgpack::table(lua)?),
        ("struct", structs::table(lua)?),
    ])
}
