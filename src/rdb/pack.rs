//! Turning chunks into the final bytes: compression, lengths of what was left open, and nothing else. This is the part
//! of encoding that takes time, and it runs wherever the bytes are wanted: on the writer's thread for files and sockets.
//!
//! A collection that was left open is laid out here, some kilobytes at a time, so that a set of five million members needs no
//! more room on its way than a short one, and a slow consumer makes the laying out wait.
//!
//! Redis compresses a string of more than 20 bytes when that saves at least 4 (lengths not counted), and so do we.

use std::ops::ControlFlow::{self, Continue};

use bytes::Bytes;

use super::encode::{COMPRESS_ABOVE, Chunk, OpenString, Out};
use super::format::{ENC_LZF, VERSION_WRITTEN};
use super::{length, types};
use crate::base::hash::Crc64;
use crate::base::lzf::Compressor;
use crate::data::ValueRef;

/// A collection is packed in pieces of about this size.
const SLICE: usize = 64 * 1024;

/// A string must become at least this much shorter.
const SAVING_MIN: usize = 4;

/// Strings from this size on that are not compressed are passed on by reference.
const BY_REFERENCE: usize = 16 * 1024;

/// Packs chunks, one after the other.
pub struct Packer {
    compress: bool,
    /// Made for the first string that is worth a try: many payloads of DUMP have none.
    compressor: Option<Compressor>,
    packed: Vec<u8>,
}

impl Packer {
    /// A packer; `compress` is `rdbcompression`.
    pub fn new(compress: bool) -> Packer {
        Packer { compress, compressor: None, packed: Vec::new() }
    }

    /// The final bytes of `chunk`, in pieces. Without open places that is the chunk's own buffer.
    pub fn pack(&mut self, mut chunk: Chunk, mut emit: impl FnMut(Bytes)) {
        let _ = self.pack_while(&mut chunk, &mut |piece| {
            emit(piece);
            Continue(())
        });
    }

    /// The same until `emit` does not want any more. The chunk is empty then, and what memory did not go out is still with it.
    pub fn pack_while(&mut self, chunk: &mut Chunk, emit: Emit<'_>) -> ControlFlow<()> {
        let result = if chunk.open.is_empty() {
            pass_on(std::mem::take(&mut chunk.bytes), emit)
        } else {
            self.fill(chunk, emit)
        };
        chunk.reset(self.compress);
        result
    }

    /// The bytes of a chunk with what belongs into its open places.
    fn fill(&mut self, chunk: &mut Chunk, emit: Emit<'_>) -> ControlFlow<()> {
        let mut out = Vec::with_capacity(chunk.bytes.len() + 16 * chunk.open.len());
        let mut done = 0;
        for open in chunk.open.drain(..) {
            out.extend_from_slice(&chunk.bytes[done..open.at]);
            done = open.at;
            match open.what {
                OpenString::Raw(len) => {
                    let raw = &chunk.bytes[open.at..open.at + len];
                    self.string_prefix(raw, &mut out);
                    if self.packed.is_empty() {
                        out.extend_from_slice(raw);
                    } else {
                        out.extend_from_slice(&self.packed);
                    }
                    done += len;
                }
                OpenString::Shared(bytes) => {
                    self.string_prefix(&bytes, &mut out);
                    if !self.packed.is_empty() {
                        out.extend_from_slice(&self.packed);
                    } else if bytes.len() < BY_REFERENCE {
                        out.extend_from_slice(&bytes);
                    } else {
                        pass_on(std::mem::take(&mut out), emit)?;
                        emit(bytes)?;
                    }
                }
                OpenString::Value(value) => {
                    pass_on(std::mem::take(&mut out), emit)?;
                    self.value((*value).as_ref(), emit)?;
                }
                OpenString::Dump(value) => {
                    // Its length comes first, so it is made twice; keeping it could take as much memory as the value.
                    let mut len = 0;
                    let mut packer = Packer::new(true);
                    packer.payload((*value).as_ref(), &mut |piece| {
                        len += piece.len();
                        Continue(())
                    })?;
                    out.extend_from_slice(format!("${len}\r\n").as_bytes());
                    pass_on(std::mem::take(&mut out), emit)?;
                    packer.payload((*value).as_ref(), emit)?;
                    out.extend_from_slice(b"\r\n");
                }
            }
        }
        out.extend_from_slice(&chunk.bytes[done..]);
        pass_on(out, emit)
    }

    /// A value without its type, in pieces.
    fn value(&mut self, value: ValueRef<'_>, emit: Emit<'_>) -> ControlFlow<()> {
        let chunk = Chunk::new(SLICE + SLICE / 4, self.compress);
        let mut slices = Slices { packer: self, chunk, emit };
        types::encode(value, &mut slices)?;
        slices.flush()
    }

    /// The payload of DUMP, in pieces.
    fn payload(&mut self, value: ValueRef<'_>, emit: Emit<'_>) -> ControlFlow<()> {
        let mut crc = Crc64::new();
        let mut summed = |piece: Bytes| {
            crc.update(&piece);
            emit(piece)
        };
        pass_on(vec![types::type_id(value)], &mut summed)?;
        self.value(value, &mut summed)?;
        pass_on((VERSION_WRITTEN as u16).to_le_bytes().to_vec(), &mut summed)?;
        pass_on(crc.value().to_le_bytes().to_vec(), emit)
    }

    /// Writes what stands before the data of a string, and leaves the data in `self.packed`, empty when they go as they
    /// are.
    fn string_prefix(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        self.packed.clear();
        if self.compress
            && raw.len() > COMPRESS_ABOVE
            && self.compressor.get_or_insert_default().compress(raw, &mut self.packed, raw.len() - SAVING_MIN)
        {
            out.push(0xc0 | ENC_LZF);
            length::put(out, self.packed.len() as u64);
        }
        length::put(out, raw.len() as u64);
    }
}

/// Takes pieces; `Break` when it wants no more.
pub type Emit<'a> = &'a mut dyn FnMut(Bytes) -> ControlFlow<()>;

fn pass_on(bytes: Vec<u8>, emit: Emit<'_>) -> ControlFlow<()> {
    if bytes.is_empty() { Continue(()) } else { emit(Bytes::from(bytes)) }
}

/// A value on its way out: whenever there is enough of it, that is packed.
struct Slices<'a> {
    packer: &'a mut Packer,
    chunk: Chunk,
    emit: Emit<'a>,
}

impl Slices<'_> {
    fn flush(&mut self) -> ControlFlow<()> {
        self.packer.pack_while(&mut self.chunk, self.emit)?;
        if self.chunk.capacity() == 0 {
            self.chunk = Chunk::new(SLICE + SLICE / 4, self.packer.compress);
        }
        Continue(())
    }
}

impl Out for Slices<'_> {
    #[inline]
    fn chunk(&mut self) -> &mut Chunk {
        &mut self.chunk
    }

    #[inline]
    fn between(&mut self) -> ControlFlow<()> {
        if self.chunk.len() < SLICE { Continue(()) } else { self.flush() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::string::StrView;

    fn packed(compress: bool, values: &[StrView<'_>]) -> Vec<Bytes> {
        let mut chunk = Chunk::new(0, compress);
        for &value in values {
            chunk.value(value);
        }
        let mut pieces = Vec::new();
        Packer::new(compress).pack(chunk, |piece| pieces.push(piece));
        pieces
    }

    #[test]
    fn long_strings_are_compressed_between_short_ones() {
        let values = [StrView::Bytes(b"xy"), StrView::Bytes(&[b'a'; 40]), StrView::Int(7), StrView::Bytes(&[b'a'; 40])];
        let pieces = packed(true, &values).concat();
        let a = b"\xc3\x09\x28\x01\x61\x61\xe0\x1b\x00\x01\x61\x61";
        assert_eq!(pieces, [&b"\x02xy"[..], a, b"\xc0\x07", a].concat());
    }

    #[test]
    fn what_does_not_shrink_goes_as_it_is() {
        let noise = b"0123456789abcdefghijklmnopqrstuvwxyz";
        assert_eq!(packed(true, &[StrView::Bytes(noise)]).concat(), [&[36], &noise[..]].concat());
        let barely = [&noise[..], b"01234"].concat(); // Compressed it would be as long as before.
        assert_eq!(packed(true, &[StrView::Bytes(&barely)]).concat(), [&[41], &barely[..]].concat());
    }

    #[test]
    fn a_large_shared_string_is_passed_on_without_a_copy() {
        let large = Bytes::from(vec![b'z'; 100_000]);
        let pieces = packed(false, &[StrView::Int(1), StrView::Shared(&large), StrView::Int(2)]);
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[0], b"\xc0\x01\x80\x00\x01\x86\xa0"[..]);
        assert_eq!(pieces[1].as_ptr(), large.as_ptr());
        assert_eq!(pieces[2], b"\xc0\x02"[..]);
        assert!(packed(true, &[StrView::Shared(&large)]).concat().len() < 2000, "compressed when that is asked for");
    }

    #[test]
    fn a_chunk_without_open_places_is_its_own_result() {
        assert!(packed(true, &[]).is_empty());
        assert_eq!(packed(true, &[StrView::Int(1)]), [Bytes::from_static(b"\xc0\x01")]);
    }
}
