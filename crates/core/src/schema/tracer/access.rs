//! What is inside compound values.

use super::{Refused, Shape, Tracer, type_name};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor, value::U32Deserializer};

/// The fields of a tuple or struct.
pub(super) struct Fields<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    shapes: &'a mut Vec<Shape>,
    len: usize,
}

impl<'a, 'b> Fields<'a, 'b> {
    pub(super) fn new(tracer: &'a mut Tracer<'b>, shapes: &'a mut Vec<Shape>, len: usize) -> Self {
        Fields { tracer, shapes, len }
    }
}

impl<'de> de::SeqAccess<'de> for Fields<'_, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.shapes.len() == self.len {
            return Ok(None);
        }
        let mut shape = Shape::Unknown;
        let value = seed.deserialize(self.tracer.part(&mut shape))?;
        self.shapes.push(shape);
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.shapes.len())
    }
}

/// Traces the fields of a tuple struct or variant.
pub(super) fn tuple<'de, V: Visitor<'de>>(
    tracer: &mut Tracer<'_>,
    shape: &mut Shape,
    name: &'static str,
    len: usize,
    visitor: V,
) -> Result<V::Value, Refused> {
    let mut shapes = Vec::new();
    let value = visitor.visit_seq(Fields::new(tracer, &mut shapes, len))?;
    *shape = Shape::Tuple(name, shapes);
    Ok(value)
}

/// Traces the fields of a struct or struct variant.
pub(super) fn fields<'de, V: Visitor<'de>>(
    tracer: &mut Tracer<'_>,
    shape: &mut Shape,
    name: &'static str,
    names: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Refused> {
    let mut shapes = Vec::new();
    let value = visitor.visit_seq(Fields::new(tracer, &mut shapes, names.len()))?;
    // The names include aliases. With any, there is no telling which name is whose.
    let aliases = names.len() != shapes.len();
    *shape = Shape::Struct(name, names.iter().map(|name| if aliases { "" } else { *name }).zip(shapes).collect());
    Ok(value)
}

/// A sequence of one element, or of none where a type repeats itself.
pub(super) struct OneElement<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    shape: &'a mut Shape,
    left: usize,
}

impl<'a, 'b> OneElement<'a, 'b> {
    pub(super) fn new(tracer: &'a mut Tracer<'b>, shape: &'a mut Shape) -> Self {
        let left = usize::from(tracer.repeated.is_none());
        OneElement { tracer, shape, left }
    }
}

impl<'de> de::SeqAccess<'de> for OneElement<'_, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left = 0;
        seed.deserialize(self.tracer.part(self.shape)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A map of one entry, or of none where a type repeats itself.
pub(super) struct OneEntry<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    key: &'a mut Shape,
    value: &'a mut Shape,
    left: usize,
}

impl<'a, 'b> OneEntry<'a, 'b> {
    pub(super) fn new(tracer: &'a mut Tracer<'b>, key: &'a mut Shape, value: &'a mut Shape) -> Self {
        let left = usize::from(tracer.repeated.is_none());
        OneEntry { tracer, key, value, left }
    }
}

impl<'de> de::MapAccess<'de> for OneEntry<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left = 0;
        seed.deserialize(self.tracer.part(self.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(self.tracer.part(self.value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// One variant of an enum.
pub(super) struct Enum<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    shape: &'a mut Shape,
    index: u32,
    name: &'static str,
    /// Set when the type knows the variant.
    known: &'a mut bool,
}

impl Enum<'_, '_> {
    /// Traces the first variant that is not complete.
    pub(super) fn trace<'de, V: Visitor<'de>>(
        tracer: &mut Tracer<'_>,
        shape: &mut Shape,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let mut known = false;
        if let Some(depth) = tracer.repeated {
            // Another variant at every depth: sooner or later one that does not contain the type again.
            let index = depth % variants.len().max(1);
            let access = Enum { tracer, shape, index: index as u32, name: "", known: &mut known };
            return visitor.visit_enum(access);
        }
        let number = tracer.state.enum_index(type_name::<V::Value>(), name, variants);
        let index = tracer.state.enums[number].variants.iter().position(|variant| !variant.complete).unwrap_or(0);
        let has_names = tracer.state.enums[number].has_names;
        let variant = variants.get(index).copied().filter(|_| has_names).unwrap_or("_");
        let incomplete_outside = std::mem::take(&mut tracer.state.incomplete);
        let mut variant_shape = Shape::Unknown;
        let access = Enum { tracer, shape: &mut variant_shape, index: index as u32, name: variant, known: &mut known };
        let result = visitor.visit_enum(access);
        let state = &mut *tracer.state;
        let found = &mut state.enums[number];
        if !known && index > 0 && result.is_err() {
            // The names include aliases: there are fewer variants, and no telling which name is whose. Begin again.
            found.variants.truncate(index);
            found.variants.iter_mut().for_each(|variant| variant.complete = false);
            found.has_names = false;
            state.again = true;
        }
        let value = result?;
        let known_variants = &mut found.variants;
        known_variants[index].shape = variant_shape;
        known_variants[index].complete = !state.incomplete;
        state.incomplete = incomplete_outside || known_variants.iter().any(|variant| !variant.complete);
        *shape = Shape::Enum(number);
        Ok(value)
    }
}

impl<'de, 'a, 'b> de::EnumAccess<'de> for Enum<'a, 'b> {
    type Error = Refused;
    type Variant = Enum<'a, 'b>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Enum<'a, 'b>), Refused> {
        let index: U32Deserializer<Refused> = self.index.into_deserializer();
        let value = seed.deserialize(index)?;
        *self.known = true;
        Ok((value, self))
    }
}

impl<'de> de::VariantAccess<'de> for Enum<'_, '_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        *self.shape = Shape::Leaf(self.name);
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        let mut inner = Shape::Unknown;
        let value = seed.deserialize(self.tracer.part(&mut inner))?;
        *self.shape = Shape::Tuple(self.name, vec![inner]);
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        tuple(self.tracer, self.shape, self.name, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Refused> {
        self::fields(self.tracer, self.shape, self.name, fields, visitor)
    }
}
