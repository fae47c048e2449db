//! Binary XML ([MS-EVEN6] 2.2.12, in the form that it has in files: names and templates are referred to by
//! their offset in the chunk).

use crate::content::gather::Text;
use crate::content::to_u64;
use crate::error::{Error, Result};
use crate::format::le32;
use std::ops::Range;

/// Binary XML within binary XML.
const DEPTH_MAX: usize = 8;
/// Tokens of one record, those of its templates included.
const TOKENS_MAX: usize = 50_000;
/// Values of one template instance.
const VALUES_MAX: u32 = 4096;
/// Bytes of an element's or attribute's name that are kept.
const NAME_MAX: usize = 512;

/// What a record says.
#[derive(Debug, Default)]
pub(super) struct Event {
    /// Lines of `name=value`.
    pub(super) text: Text,
    /// Number of the kind of event.
    pub(super) id: Option<u64>,
    /// Of a script block: which part, of how many, the script, and what the parts have in common.
    pub(super) part: Option<u64>,
    pub(super) parts: Option<u64>,
    pub(super) block: Option<Text>,
    pub(super) block_id: Vec<u8>,
}

/// Reads the binary XML in `range` of a chunk that starts at `base` of the file. With an error comes what was
/// read before it.
pub(super) fn event(chunk: &[u8], range: Range<usize>, base: u64) -> (Event, Option<Error>) {
    let mut reader =
        Reader { chunk, base, tokens: 0, event: Event::default(), element: Vec::new(), name: String::new() };
    let outcome = reader.fragment(range, &[], 0);
    (reader.event, outcome.err())
}

/// A value of a template instance.
#[derive(Clone, Copy, Debug)]
struct Value {
    kind: u8,
    start: usize,
    length: usize,
}

struct Reader<'a> {
    chunk: &'a [u8],
    base: u64,
    tokens: usize,
    event: Event,
    /// Names of the open elements.
    element: Vec<String>,
    /// What the next value is called: the `Name` of its element, else the element, or the attribute.
    name: String,
}

impl Reader<'_> {
    fn wrong(&self, at: usize, what: &str, expected: &str) -> Error {
        Error::corrupt(self.base.saturating_add(to_u64(at)), what, expected, "something else")
    }

    fn u8(&self, at: usize) -> Result<u8> {
        self.chunk.get(at).copied().ok_or_else(|| self.wrong(at, "binary XML", "more bytes"))
    }

    fn u16(&self, at: usize) -> Result<usize> {
        let field = self.chunk.get(at..).and_then(|rest| rest.first_chunk());
        field
            .map(|field| usize::from(u16::from_le_bytes(*field)))
            .ok_or_else(|| self.wrong(at, "binary XML", "more bytes"))
    }

    fn u32(&self, at: usize) -> Result<usize> {
        let field = le32(self.chunk, at).and_then(|field| usize::try_from(field).ok());
        field.ok_or_else(|| self.wrong(at, "binary XML", "more bytes"))
    }

    /// Reads tokens up to the end of the fragment.
    fn fragment(&mut self, range: Range<usize>, values: &[Value], depth: usize) -> Result<()> {
        let mut at = range.start;
        let mut in_attribute = false;
        while at < range.end {
            self.tokens = self.tokens.saturating_add(1);
            if self.tokens > TOKENS_MAX || depth > DEPTH_MAX {
                return Err(self.wrong(at, "binary XML", "fewer or less deep tokens"));
            }
            let token = self.u8(at)?;
            at = match token & 0x3f {
                // End of fragment.
                0x00 => return Ok(()),
                // Open start element: dependency, size, name, and the attributes' size.
                0x01 => {
                    let (name, next) = self.name_at(at.saturating_add(7))?;
                    self.name.clone_from(&name);
                    self.element.push(name);
                    next.saturating_add(if token & 0x40 != 0 { 4 } else { 0 })
                }
                // Close start element.
                0x02 => {
                    in_attribute = false;
                    at.saturating_add(1)
                }
                // Close empty element, end element.
                0x03 | 0x04 => {
                    in_attribute = false;
                    self.element.pop();
                    self.name = self.element.last().cloned().unwrap_or_default();
                    at.saturating_add(1)
                }
                // Value text: type, characters, text.
                0x05 | 0x07 => self.literal(at, token & 0x3f == 0x07, in_attribute)?,
                // Attribute.
                0x06 => {
                    let (name, next) = self.name_at(at.saturating_add(1))?;
                    in_attribute = true;
                    self.name = name;
                    next
                }
                // Character reference; entity reference and target of a processing instruction, by name.
                0x08 => at.saturating_add(3),
                0x09 | 0x0a => self.name_at(at.saturating_add(1))?.1,
                // Data of a processing instruction.
                0x0b => {
                    at.saturating_add(3).saturating_add(self.u16(at.saturating_add(1))?.saturating_mul(2))
                }
                0x0c => self.instance(at, depth)?,
                // Substitutions: number of the value, type.
                0x0d | 0x0e => {
                    let index = self.u16(at.saturating_add(1))?;
                    if let Some(value) = values.get(index).copied() {
                        self.value(value, in_attribute, depth)?;
                    }
                    at.saturating_add(4)
                }
                // Fragment header: version and flags.
                0x0f => at.saturating_add(4),
                _ => return Err(self.wrong(at, "token of binary XML", "0x00 to 0x0f")),
            };
        }
        Ok(())
    }

    /// A name by its offset in the chunk, and where reading goes on: behind the name if it stands right here.
    fn name_at(&self, at: usize) -> Result<(String, usize)> {
        let place = self.u32(at)?;
        let after = at.saturating_add(4);
        // Offset of the next name, hash, number of characters.
        let length = self.u16(place.saturating_add(6))?.saturating_mul(2);
        let start = place.saturating_add(8);
        let end = start.saturating_add(length);
        let bytes = self.chunk.get(start..end).filter(|_| length <= NAME_MAX);
        let bytes = bytes.ok_or_else(|| self.wrong(place, "name", "one within the chunk"))?;
        let (units, _) = bytes.as_chunks::<2>();
        let name: String = char::decode_utf16(units.iter().map(|&unit| u16::from_le_bytes(unit)))
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        // A name ends with NUL.
        Ok((name, if place == after { end.saturating_add(2) } else { after }))
    }

    /// Text in the template or fragment itself.
    fn literal(&mut self, at: usize, is_cdata: bool, in_attribute: bool) -> Result<usize> {
        let at = at.saturating_add(if is_cdata { 1 } else { 2 });
        let length = self.u16(at)?.saturating_mul(2);
        let start = at.saturating_add(2);
        let value = Value { kind: 1, start, length };
        if in_attribute && self.name == "Name" {
            let bytes = self.chunk.get(start..start.saturating_add(length)).unwrap_or_default();
            self.name = latin(bytes);
            return Ok(start.saturating_add(length));
        }
        self.value(value, false, 0)?;
        Ok(start.saturating_add(length))
    }

    /// An instance of a template: where the template is, and the values for it.
    fn instance(&mut self, at: usize, depth: usize) -> Result<usize> {
        /// Offset of the next template, identifier, size.
        const HEADER: usize = 24;
        let place = self.u32(at.saturating_add(6))?;
        let mut after = at.saturating_add(10);
        let body = place.saturating_add(HEADER);
        let end = body.saturating_add(self.u32(place.saturating_add(20))?).min(self.chunk.len());
        if place == after {
            after = end;
        }
        let count = self.u32(after)?;
        if count > usize::try_from(VALUES_MAX).unwrap_or(0) {
            return Err(self.wrong(after, "number of values", "at most 4,096"));
        }
        let sizes = after.saturating_add(4);
        let mut start = sizes.saturating_add(count.saturating_mul(4));
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            let descriptor = sizes.saturating_add(index.saturating_mul(4));
            let length = self.u16(descriptor)?;
            values.push(Value { kind: self.u8(descriptor.saturating_add(2))?, start, length });
            start = start.saturating_add(length);
        }
        let (open, name) = (self.element.len(), self.name.clone());
        let outcome = self.fragment(body..end, &values, depth.saturating_add(1));
        self.element.truncate(open);
        self.name = name;
        outcome.map(|()| start)
    }

    fn value(&mut self, value: Value, in_attribute: bool, depth: usize) -> Result<()> {
        let Value { kind, start, length } = value;
        let Some(bytes) = self.chunk.get(start..start.saturating_add(length)) else {
            return Err(self.wrong(start, "value", "one within the chunk"));
        };
        // Binary XML.
        if kind == 0x21 {
            let open = self.element.len();
            let outcome = self.fragment(start..start.saturating_add(length), &[], depth.saturating_add(1));
            self.element.truncate(open);
            return outcome;
        }
        let source = self.base.saturating_add(to_u64(start));
        let name = if self.name == "Name" && in_attribute { String::new() } else { self.name.clone() };
        let mut own = Text::default();
        match kind & 0x7f {
            1 => own.wide(source, bytes),
            2 => own.narrow(source, bytes),
            // Numbers of 8 to 64 bits, unsigned ones and small signed ones.
            3..=10 if kind < 0x80 => self.number(&name, bytes, &mut own),
            0x0f => own.word(&hexadecimal(bytes)),
            _ => own.narrow(source, bytes),
        }
        self.keep(&name, &own);
        if name != "ScriptBlockText" && !own.bytes.is_empty() {
            self.event.text.word(&crate::location::escape(name.as_bytes()));
            self.event.text.word("=");
            self.event.text.append(&own);
            self.event.text.word("\n");
        }
        Ok(())
    }

    /// A number; those that say what the event is are kept.
    fn number(&mut self, name: &str, bytes: &[u8], own: &mut Text) {
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().zip(bytes) {
            *to = *from;
        }
        let number = u64::from_le_bytes(wide);
        own.word(&number.to_string());
        match name {
            "EventID" => self.event.id = Some(number),
            "MessageNumber" => self.event.part = Some(number),
            "MessageTotal" => self.event.parts = Some(number),
            _ => {}
        }
    }

    fn keep(&mut self, name: &str, own: &Text) {
        match name {
            "ScriptBlockText" => {
                // The block's own text also stands in the record, where it came in one part.
                self.event.block = Some(own.clone());
                if self.event.parts.is_none_or(|parts| parts < 2) {
                    self.event.text.word("ScriptBlockText=");
                    self.event.text.append(own);
                    self.event.text.word("\n");
                }
            }
            "ScriptBlockId" => self.event.block_id.clone_from(&own.bytes),
            _ => {}
        }
    }
}

fn latin(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    units.iter().map(|&unit| char::from(u8::try_from(u16::from_le_bytes(unit)).unwrap_or(b'?'))).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
