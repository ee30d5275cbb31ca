//! The structure of a type, and its text.

/// The longest description, bytes. Types beyond it are opaque.
const MAX_DESCRIPTION: usize = 64 * 1024;

/// The structure of a type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Nothing was asked for.
    Unknown,
    /// `u64`, `string`, …
    Leaf(&'static str),
    Option(Box<Shape>),
    List(Box<Shape>),
    Map(Box<Shape>, Box<Shape>),
    /// The fields of a tuple (of no name), a tuple struct, a tuple variant.
    Tuple(&'static str, Vec<Shape>),
    Struct(&'static str, Vec<(&'static str, Shape)>),
    /// The number of the enum in the list of enums.
    Enum(usize),
    /// A type that this one is part of.
    Recursive(&'static str),
}

/// An enum, whose variants are found one by one.
#[derive(Debug)]
pub(super) struct EnumShape {
    /// The path of the type, with its type arguments: tells one enum from another.
    pub(super) type_name: &'static str,
    pub(super) name: &'static str,
    pub(super) variants: Vec<Variant>,
    /// Whether it is known which variant has which name.
    pub(super) has_names: bool,
}

/// A variant of an enum.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) shape: Shape,
    /// Whether every variant of the enums inside is known.
    pub(super) complete: bool,
}

/// The text of `shape`; `None` if it is too long.
pub(super) fn render(shape: &Shape, enums: &[EnumShape]) -> Option<String> {
    let mut renderer = Renderer { text: String::new(), enums, open: Vec::new() };
    renderer.shape(shape);
    (renderer.text.len() <= MAX_DESCRIPTION).then_some(renderer.text)
}

struct Renderer<'a> {
    text: String,
    enums: &'a [EnumShape],
    /// The enums that are being written.
    open: Vec<usize>,
}

impl Renderer<'_> {
    fn shape(&mut self, shape: &Shape) {
        if self.text.len() > MAX_DESCRIPTION {
            return;
        }
        match shape {
            Shape::Unknown => self.text.push('?'),
            Shape::Leaf(name) => self.text.push_str(name),
            Shape::Option(inner) => self.generic("option", &[inner]),
            Shape::List(element) => self.generic("list", &[element]),
            Shape::Map(key, value) => self.generic("map", &[key, value]),
            Shape::Tuple("", fields) if fields.len() > 4 && fields.iter().all(|field| *field == fields[0]) => {
                self.text.push('[');
                self.shape(&fields[0]);
                self.text.push_str(&format!("; {}]", fields.len()));
            }
            Shape::Tuple(name, fields) => {
                self.text.push_str(name);
                self.list("(", ")", fields, |this, field| this.shape(field));
            }
            Shape::Struct(name, fields) => {
                self.text.push_str(name);
                self.list("{", "}", fields, |this, (name, field)| {
                    if !name.is_empty() {
                        this.text.push_str(name);
                        this.text.push_str(": ");
                    }
                    this.shape(field);
                });
            }
            Shape::Enum(index) => {
                let shape = &self.enums[*index];
                if self.open.contains(index) {
                    self.text.push('^');
                    self.text.push_str(shape.name);
                    return;
                }
                self.open.push(*index);
                self.text.push_str("enum ");
                self.text.push_str(shape.name);
                self.list("{", "}", &shape.variants, |this, variant| this.shape(&variant.shape));
                self.open.pop();
            }
            Shape::Recursive(name) => {
                self.text.push('^');
                self.text.push_str(name);
            }
        }
    }

    fn generic(&mut self, name: &str, arguments: &[&Shape]) {
        self.text.push_str(name);
        self.list("<", ">", arguments, |this, argument| this.shape(argument));
    }

    fn list<T>(&mut self, open: &str, close: &str, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.text.push_str(open);
        for (index, value) in items.iter().enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            item(self, value);
        }
        self.text.push_str(close);
    }
}

/// The path of the field in which two descriptions first differ; `None` if it is in no named field.
pub(super) fn first_difference(current: &str, stored: &str) -> Option<String> {
    let common = current.bytes().zip(stored.bytes()).take_while(|(a, b)| a == b).count();
    let goes_on = |text: &str| text.as_bytes().get(common) == Some(&b',');
    // A field that only one of them has is behind the comma there.
    let text = if goes_on(stored) && !goes_on(current) { stored } else { current };
    let name_start = if goes_on(text) { common + 2 } else { common };
    let mut path = Path::default();
    for (index, byte) in text.bytes().enumerate() {
        // What is left of the word at the difference still belongs to the path: `cou|nt: u32`.
        if index >= name_start && !(is_word(byte) || byte == b':') {
            break;
        }
        path.step(text, index, byte);
        if index >= name_start && byte == b':' {
            break;
        }
    }
    path.join()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The fields around a place in a description.
#[derive(Default)]
struct Path<'a> {
    /// Of each open bracket, the name before it and the field inside it that is open.
    levels: Vec<(&'a str, Option<&'a str>)>,
    word_start: usize,
}

impl<'a> Path<'a> {
    fn step(&mut self, text: &'a str, index: usize, byte: u8) {
        match byte {
            b'{' | b'(' | b'<' | b'[' => {
                let name = if matches!(byte, b'{' | b'(') { &text[self.word_start..index] } else { "" };
                self.levels.push((name, None));
            }
            b'}' | b')' | b'>' | b']' => {
                self.levels.pop();
            }
            b':' => {
                let word = &text[self.word_start..index];
                if let Some(level) = self.levels.last_mut() {
                    level.1 = Some(word);
                }
            }
            b',' => {
                if let Some(level) = self.levels.last_mut() {
                    level.1 = None;
                }
            }
            _ => {}
        }
        if !is_word(byte) {
            self.word_start = index + 1;
        }
    }

    fn join(self) -> Option<String> {
        let (mut names, mut in_field) = (Vec::new(), false);
        for (name, field) in self.levels {
            // The name of a struct is only news at the outside; below, the field that holds it says more.
            names.extend(Some(name).filter(|name| !name.is_empty() && !in_field));
            names.extend(field);
            in_field |= field.is_some();
        }
        (!names.is_empty()).then(|| names.join("."))
    }
}
