//! DEBUG LISTPACK, DEBUG QUICKLIST, and what DEBUG OBJECT adds about a quicklist: how collections lie in memory.

use crate::commands::contract::CommandError;
use crate::data::list::List;
use crate::data::quicklist::NodeView;
use crate::data::{Encoding, ValueRef};
use crate::keyspace::{AnyValue, DbHandle};
use crate::resp::reply::Reply;

/// Prints the elements of a packed collection.
pub fn listpack(db: &mut DbHandle<'_>, key: &[u8], reply: &mut Reply<'_>) -> Result<(), CommandError> {
    let value = db.peek::<AnyValue>(key)?.ok_or(CommandError::NoSuchKey)?;
    if value.collection_encoding() != Some(Encoding::Listpack) {
        return Err(CommandError::err("Not a listpack encoded object."));
    }
    let mut number = 0;
    value.visit(&mut |parts| {
        let parts: Vec<_> = parts.iter().map(|part| part.escape_ascii().to_string()).collect();
        println!("{number}: {}", parts.join(" "));
        number += 1;
    });
    reply.simple("Listpack structure printed on stdout");
    Ok(())
}

/// Prints the nodes of a list, and with `full` their elements.
pub fn quicklist(db: &mut DbHandle<'_>, key: &[u8], full: bool, reply: &mut Reply<'_>) -> Result<(), CommandError> {
    let value = db.peek::<AnyValue>(key)?.ok_or(CommandError::NoSuchKey)?;
    let ValueRef::List(list) = value else { return Err(not_a_quicklist()) };
    let nodes = list.as_quicklist().ok_or_else(not_a_quicklist)?;
    println!("{:?}", nodes.figures());
    for (number, node) in nodes.nodes().enumerate() {
        match node {
            NodeView::Packed(entries) if full => println!("{number}: packed {entries:?}"),
            NodeView::Packed(entries) => println!("{number}: packed, {} bytes, {}", entries.byte_len(), entries.len()),
            NodeView::Squeezed { lzf, byte_len } => println!("{number}: packed, {byte_len} bytes in {}", lzf.len()),
            NodeView::Plain(text) if full => println!("{number}: plain {}", text.escape_ascii()),
            NodeView::Plain(text) => println!("{number}: plain, {} bytes", text.len()),
        }
    }
    reply.simple("Quicklist structure printed on stdout");
    Ok(())
}

fn not_a_quicklist() -> CommandError {
    CommandError::err("Not a quicklist encoded object.")
}

/// The fields of DEBUG OBJECT for a quicklist, each with a space before it; nothing for other values.
pub fn about_quicklist(db: &mut DbHandle<'_>, key: &[u8]) -> String {
    let Ok(Some(list)) = db.peek::<List>(key) else { return String::new() };
    let Some(nodes) = list.as_quicklist() else { return String::new() };
    let figures = nodes.figures();
    format!(
        " ql_nodes:{} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:{} ql_uncompressed_size:{}",
        figures.nodes,
        figures.len as f64 / figures.nodes as f64,
        figures.fill,
        u8::from(figures.is_compressed),
        figures.byte_len
    )
}
