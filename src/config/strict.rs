//! Reads values as what they are written: a section is a table, a word is text.
//!
//! serde takes more than that. The keys of a struct may come as a list, by their position, and a
//! word as a table that has it for its key: both read as if they were meant. And where the type of
//! a list's element finds it wrong, the error is said to be in the list, and not in which element.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer as _, MapAccess, SeqAccess,
    Unexpected, Visitor,
};

/// Reads a `T` strictly. After an error `trail` knows in which element of a list it was.
///
/// # Errors
///
/// Those of `inner`; and a list where a struct is wanted, anything but text where a word is.
pub fn read<'de, T, D>(inner: D, trail: &Trail) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(Strict { inner, trail })
}

/// How deep the reader is, and where it failed.
#[derive(Debug, Default)]
pub struct Trail {
    depth: Cell<usize>,
    failed: Cell<Option<Element>>,
}

/// An element of a list.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    /// The length of the way to it.
    pub depth: usize,
    pub index: usize,
}

impl Trail {
    /// The innermost element of a list that the error was in.
    pub fn failed(&self) -> Option<Element> {
        self.failed.get()
    }

    /// Reads what lies one step further in: the element of a list, if it has an index.
    fn step<T, E>(
        &self,
        index: Option<usize>,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let depth = self.depth.get() + 1;
        self.depth.set(depth);
        let result = read();
        self.depth.set(depth - 1);
        if let (Err(_), Some(index), None) = (&result, index, self.failed.get()) {
            self.failed.set(Some(Element { depth, index }));
        }
        result
    }
}

struct Strict<'t, D> {
    inner: D,
    trail: &'t Trail,
}

macro_rules! pass {
    ($($method:ident($($arg:ident: $kind:ty),*))*) => {$(
        fn $method<V>(self, $($arg: $kind,)* visitor: V) -> Result<V::Value, D::Error>
        where
            V: Visitor<'de>,
        {
            let visitor = Inside { visitor, trail: self.trail, is_struct: false };
            self.inner.$method($($arg,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    pass! {
        deserialize_any() deserialize_bool() deserialize_char()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Inside { visitor, trail: self.trail, is_struct: true };
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Word { visitor, words })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Reads one of the words of an enum, whose variants hold nothing.
struct Word<V> {
    visitor: V,
    words: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.words.iter().map(|word| format!("\"{word}\"")).collect();
        write!(f, "one of {}", words.join(", "))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(word.into_deserializer())
    }
}

/// Lets a visitor see everything strictly that it is shown.
struct Inside<'t, V> {
    visitor: V,
    trail: &'t Trail,
    is_struct: bool,
}

macro_rules! show {
    ($($method:ident($kind:ty))*) => {$(
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Inside<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    show! {
        visit_bool(bool) visit_char(char)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Strict { inner, trail: self.trail })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Strict { inner, trail: self.trail })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        if self.is_struct {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self.visitor));
        }
        self.visitor.visit_seq(Elements { inner, next: 0, trail: self.trail })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Entries { inner, trail: self.trail })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(inner) // of `deserialize_any`; words never come here
    }
}

/// The elements of a list.
struct Elements<'t, A> {
    inner: A,
    next: usize,
    trail: &'t Trail,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let (index, trail) = (self.next, self.trail);
        self.next += 1;
        trail.step(Some(index), || self.inner.next_element_seed(Seed { seed, trail }))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// The keys of a table and their values.
struct Entries<'t, A> {
    inner: A,
    trail: &'t Trail,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S>(&mut self, seed: S) -> Result<S::Value, A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let trail = self.trail;
        trail.step(None, || self.inner.next_value_seed(Seed { seed, trail }))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Seed<'t, S> {
    seed: S,
    trail: &'t Trail,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Strict { inner, trail: self.trail })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Section {
        list: Vec<Odd>,
        maybe: Option<Word>,
        named: BTreeMap<String, Section>,
        number: u8,
        sections: Vec<Section>,
    }

    #[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        No,
        Yes,
    }

    /// A type that says itself what is wrong.
    #[derive(Debug, PartialEq)]
    struct Odd(u32);

    impl<'de> Deserialize<'de> for Odd {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number = u32::deserialize(deserializer)?;
            (number % 2 == 1).then_some(Self(number)).ok_or_else(|| D::Error::custom("even"))
        }
    }

    #[test]
    fn what_is_written_as_it_should_be_is_read() {
        let text = "list = [1, 3]\nmaybe = 'yes'\nnumber = 7\nsections = [{ number = 1 }, {}]\n\
                    [named.a]\nmaybe = 'no'";
        let (section, _) = strictly(text);
        assert_eq!(section, toml::from_str(text).map_err(|error| error.to_string()));
        assert_eq!(section.unwrap().maybe, Some(Word::Yes));
    }

    #[test]
    fn a_list_is_no_table_at_any_depth() {
        for text in ["named = { a = [[1]] }", "sections = [[[1]]]", "named.a.named.b = []"] {
            assert!(toml::from_str::<Section>(text).is_ok(), "{text}");
            let told = strictly(text).0.unwrap_err();
            assert!(told.contains("invalid type: sequence, expected struct Section"), "{told}");
        }
    }

    #[test]
    fn a_table_is_no_word() {
        assert!(toml::from_str::<Section>("maybe = { yes = {} }").is_ok());
        for text in
            ["maybe = { yes = {} }", "maybe = ['yes']", "maybe = true", "maybe = 2026-11-30"]
        {
            let told = strictly(text).0.unwrap_err();
            assert!(told.contains("expected one of \"no\", \"yes\""), "{told}");
        }
    }

    #[test]
    fn the_element_that_is_wrong_is_known() {
        let failed = |text| strictly(text).1.failed().map(|it| (it.depth, it.index));
        assert_eq!(failed("list = [1, 3, 4, 5]"), Some((2, 2)));
        assert_eq!(failed("sections = [{}, { list = [1, 2] }]"), Some((4, 1)));
        assert_eq!(failed("sections = [{}, { number = 'x' }]"), Some((2, 1)));
        assert_eq!(failed("number = 'x'"), None);
    }

    fn strictly(text: &str) -> (Result<Section, String>, Trail) {
        let trail = Trail::default();
        let section = toml::Deserializer::parse(text)
            .and_then(|inner| read(inner, &trail))
            .map_err(|error: toml::de::Error| error.to_string());
        (section, trail)
    }
}
