//! Finds the structure of a type by deserialising it from made-up values, and noting what it asks for.
//!
//! One pass finds one variant of each enum, so there are as many passes as the largest enum has variants. A pass that the
//! type refuses, because a value does not suit it, is repeated with another value.

mod access;
mod values;

use super::shape::{EnumShape, Shape, Variant, render};
use access::{Enum, Fields, OneElement, OneEntry};
use serde::de::{self, Deserialize, Visitor};
use std::{any::type_name, fmt, panic::AssertUnwindSafe};

/// The deepest nesting that is followed.
const MAX_DEPTH: usize = 64;

/// The number of values, over all passes, after which a type is called opaque.
const MAX_VALUES: usize = 20_000;

/// The description of `T`; `None` if it cannot be traced.
pub(super) fn describe<T: for<'de> Deserialize<'de>>() -> Option<String> {
    let mut state = State::default();
    loop {
        let mut shape = Shape::Unknown;
        state.begin_pass();
        let tracer = Tracer { state: &mut state, shape: &mut shape, depth: 0, repeated: None };
        // A `Deserialize` that panics on a value it does not expect must not take the job down.
        let pass = std::panic::catch_unwind(AssertUnwindSafe(|| T::deserialize(tracer).map(drop))).unwrap_or(Err(Refused));
        if state.exhausted() {
            return None;
        }
        match pass {
            Ok(()) if state.incomplete => {}
            Ok(()) => return render(&shape, &state.enums),
            Err(Refused) if state.again => {}
            Err(Refused) => state.try_another_value()?,
        }
    }
}

/// The type did not accept a value.
#[derive(Debug, thiserror::Error)]
#[error("the type cannot be traced")]
struct Refused;

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Refused
    }
}

/// What is known of the type, over all passes.
#[derive(Default)]
struct State {
    enums: Vec<EnumShape>,
    /// The types that are being traced, from the outside to the inside.
    open: Vec<&'static str>,
    /// Whether an enum of this pass has variants left to be traced.
    incomplete: bool,
    /// Whether this pass failed for a reason that is now known.
    again: bool,
    /// The type of the value made up last, and how many values there are for it.
    last_value: Option<(&'static str, usize)>,
    /// Of the types that refused values, how many.
    refused: Vec<(&'static str, usize)>,
    values: usize,
}

impl State {
    fn begin_pass(&mut self) {
        self.open.clear();
        self.incomplete = false;
        self.again = false;
        self.last_value = None;
    }

    fn exhausted(&self) -> bool {
        self.values > MAX_VALUES
    }

    /// After a refusal: whoever refused had just seen the last value. `None` if there is no other value.
    fn try_another_value(&mut self) -> Option<()> {
        let (type_name, count) = self.last_value?;
        let entry = match self.refused.iter().position(|(name, _)| *name == type_name) {
            Some(index) => &mut self.refused[index],
            None => self.refused.push_mut((type_name, 0)),
        };
        entry.1 += 1;
        (entry.1 < count).then_some(())
    }

    /// One of `values`, for the type `type_name`.
    fn value<T: Copy>(&mut self, type_name: &'static str, values: &[T]) -> Result<T, Refused> {
        self.last_value = Some((type_name, values.len()));
        let refused = self.refused.iter().find(|(name, _)| *name == type_name).map_or(0, |(_, refused)| *refused);
        values.get(refused).copied().ok_or(Refused)
    }

    /// The number of the enum `type_name`.
    fn enum_index(&mut self, type_name: &'static str, name: &'static str, variants: &'static [&'static str]) -> usize {
        self.enums.iter().position(|known| known.type_name == type_name).unwrap_or_else(|| {
            let variants = variants.iter().map(|name| Variant { shape: Shape::Leaf(name), complete: false }).collect();
            self.enums.push(EnumShape { type_name, name, variants, has_names: true });
            self.enums.len() - 1
        })
    }
}

/// Makes up one value and notes its shape.
struct Tracer<'a> {
    state: &'a mut State,
    shape: &'a mut Shape,
    depth: usize,
    /// Inside a type that is part of itself: how deep, so that the values come to an end there.
    repeated: Option<usize>,
}

impl<'a> Tracer<'a> {
    fn part<'b>(&'b mut self, shape: &'b mut Shape) -> Tracer<'b> {
        Tracer { state: self.state, shape, depth: self.depth + 1, repeated: self.repeated.map(|depth| depth + 1) }
    }

    /// Begins a value of any kind.
    fn count(&mut self) -> Result<(), Refused> {
        self.state.values += 1;
        if self.depth > MAX_DEPTH || self.state.exhausted() {
            // No other value would help.
            self.state.values = MAX_VALUES + 1;
            return Err(Refused);
        }
        Ok(())
    }

    fn leaf<T: Copy, V>(&mut self, name: &'static str, values: &[T]) -> Result<T, Refused> {
        self.count()?;
        *self.shape = Shape::Leaf(name);
        self.state.value(type_name::<V>(), values)
    }

    /// Traces the named type `V`, unless that is being done further outside.
    fn named<V>(mut self, name: &'static str, trace: impl FnOnce(&mut Tracer<'_>, &mut Shape) -> Result<V, Refused>) -> Result<V, Refused> {
        self.count()?;
        let type_name = type_name::<V>();
        let is_repeated = self.state.open.contains(&type_name);
        if is_repeated {
            self.repeated = self.repeated.or(Some(0));
        }
        self.state.open.push(type_name);
        let mut shape = Shape::Unknown;
        let value = trace(&mut self, &mut shape)?;
        self.state.open.pop();
        *self.shape = if is_repeated { Shape::Recursive(name) } else { shape };
        Ok(value)
    }
}

macro_rules! leaves {
    ($($method:ident => $visit:ident, $name:literal, $values:path;)*) => {
        $(fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
            let value = self.leaf::<_, V::Value>($name, &$values)?;
            visitor.$visit(value.into())
        })*
    };
}

macro_rules! byte_strings {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
            let length = self.leaf::<_, V::Value>("bytes", &values::BYTES)?;
            visitor.visit_bytes(&values::ZEROS[..length])
        })*
    };
}

impl<'de> de::Deserializer<'de> for Tracer<'_> {
    type Error = Refused;

    leaves! {
        deserialize_bool => visit_bool, "bool", values::BOOLS;
        deserialize_i8 => visit_i8, "i8", values::SMALL_I8;
        deserialize_i16 => visit_i16, "i16", values::SMALL;
        deserialize_i32 => visit_i32, "i32", values::SMALL;
        deserialize_i64 => visit_i64, "i64", values::SMALL;
        deserialize_i128 => visit_i128, "i128", values::SMALL;
        deserialize_u8 => visit_u8, "u8", values::SMALL;
        deserialize_u16 => visit_u16, "u16", values::SMALL;
        deserialize_u32 => visit_u32, "u32", values::SMALL;
        deserialize_u64 => visit_u64, "u64", values::SMALL;
        deserialize_u128 => visit_u128, "u128", values::SMALL;
        deserialize_f32 => visit_f32, "f32", values::FLOATS;
        deserialize_f64 => visit_f64, "f64", values::FLOATS;
        deserialize_char => visit_char, "char", values::CHARS;
        deserialize_str => visit_borrowed_str, "string", values::STRINGS;
        deserialize_string => visit_borrowed_str, "string", values::STRINGS;
    }

    byte_strings!(deserialize_bytes deserialize_byte_buf);

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.count()?;
        *self.shape = Shape::Leaf("()");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(mut self, name: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.count()?;
        *self.shape = Shape::Leaf(name);
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.count()?;
        if self.repeated.is_some() {
            return visitor.visit_none();
        }
        let mut inner = Shape::Unknown;
        let value = visitor.visit_some(self.part(&mut inner))?;
        *self.shape = Shape::Option(Box::new(inner));
        Ok(value)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.named(name, |tracer, shape| visitor.visit_newtype_struct(tracer.part(shape)))
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.count()?;
        let mut element = Shape::Unknown;
        let value = visitor.visit_seq(OneElement::new(&mut self, &mut element))?;
        *self.shape = Shape::List(Box::new(element));
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.count()?;
        let (mut key, mut entry) = (Shape::Unknown, Shape::Unknown);
        let value = visitor.visit_map(OneEntry::new(&mut self, &mut key, &mut entry))?;
        *self.shape = Shape::Map(Box::new(key), Box::new(entry));
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.count()?;
        let mut fields = Vec::new();
        let value = visitor.visit_seq(Fields::new(&mut self, &mut fields, len))?;
        *self.shape = Shape::Tuple("", fields);
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, name: &'static str, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.named(name, |tracer, shape| access::tuple(tracer, shape, name, len, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.named(name, |tracer, shape| access::fields(tracer, shape, name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.named(name, |tracer, shape| Enum::trace(tracer, shape, name, variants, visitor))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Refused> {
        // The codec does not describe itself, so nothing that asks what comes next can be read from it either.
        self.state.values = MAX_VALUES + 1;
        Err(Refused)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
