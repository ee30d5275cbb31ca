use super::*;
use compact_str::CompactString;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    num::NonZeroU32,
    time::Duration,
};

fn description<T: Data>() -> String {
    Schema::of::<T>().description
}

#[derive(Clone, Serialize, Deserialize)]
struct UserId(u64);

#[derive(Clone, Serialize, Deserialize)]
struct Point(i32, i32);

#[derive(Clone, Serialize, Deserialize)]
struct Marker;

#[derive(Clone, Serialize, Deserialize)]
enum Kind {
    View,
    Buy(u64),
    Move(i32, i32),
    Sell { price: f64, by: UserId },
}

#[derive(Clone, Serialize, Deserialize)]
struct Click {
    user: String,
    at: Option<i64>,
    kind: Kind,
    #[serde(skip)]
    #[expect(dead_code, reason = "it is there to be skipped")]
    cached: u8,
    #[serde(rename = "tags")]
    labels: Vec<CompactString>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Wrapper<T> {
    inner: T,
}

#[test]
fn simple_types_are_described_by_their_structure() {
    assert_eq!(description::<(String, u64)>(), "(string, u64)");
    assert_eq!(description::<u8>(), "u8");
    assert_eq!(description::<(i128, char, bool, f32, ())>(), "(i128, char, bool, f32, ())");
    assert_eq!(description::<UserId>(), "u64");
    assert_eq!(description::<Point>(), "Point(i32, i32)");
    assert_eq!(description::<Marker>(), "Marker");
    assert_eq!(description::<[u8; 32]>(), "[u8; 32]");
    assert_eq!(description::<Vec<Option<Box<str>>>>(), "list<option<string>>");
    assert_eq!(description::<HashSet<u16>>(), "list<u16>");
    assert_eq!(description::<HashMap<String, (i32, bool)>>(), "map<string, (i32, bool)>");
    assert_eq!(description::<bytes::Bytes>(), "bytes");
    assert_eq!(description::<Duration>(), "Duration{secs: u64, nanos: u32}");
}

#[test]
fn structs_and_enums_are_described_with_their_names() {
    assert_eq!(
        description::<Click>(),
        "Click{user: string, at: option<i64>, \
         kind: enum Kind{View, Buy(u64), Move(i32, i32), Sell{price: f64, by: u64}}, tags: list<string>}"
    );
}

#[test]
fn an_enum_inside_an_enum_shows_all_variants_of_both() {
    #[derive(Clone, Serialize, Deserialize)]
    enum Inner {
        A,
        B(u8),
        C,
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum Outer {
        First(Inner),
        Second,
        Third(Option<Inner>, Kind),
    }
    let inner = "enum Inner{A, B(u8), C}";
    let kind = description::<Kind>();
    assert_eq!(description::<(Outer, Inner)>(), format!("(enum Outer{{First({inner}), Second, Third(option<{inner}>, {kind})}}, {inner})"));
}

#[test]
fn generic_types_of_one_name_are_told_apart() {
    assert_eq!(description::<Wrapper<Wrapper<u64>>>(), "Wrapper{inner: Wrapper{inner: u64}}");
    assert_ne!(description::<Wrapper<Wrapper<u64>>>(), description::<Wrapper<Wrapper<String>>>());
    assert_eq!(
        description::<(Result<u8, String>, Result<String, u8>)>(),
        "(enum Result{Ok(u8), Err(string)}, enum Result{Ok(string), Err(u8)})"
    );
}

#[test]
fn recursive_types_end() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Node {
        value: i64,
        next: Option<Box<Node>>,
        children: Vec<Node>,
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum Expression {
        Add(Box<Expression>, Box<Expression>),
        Negate { of: Box<Expression> },
        Number(i64),
    }
    #[derive(Clone, Serialize, Deserialize)]
    struct Tree(BTreeMap<String, Tree>);
    #[derive(Clone, Serialize, Deserialize)]
    enum Ping {
        To(Box<Pong>),
        End,
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum Pong {
        Back(Box<Ping>, u8),
        End(u16),
    }
    assert_eq!(description::<Node>(), "Node{value: i64, next: option<^Node>, children: list<^Node>}");
    assert_eq!(description::<Expression>(), "enum Expression{Add(^Expression, ^Expression), Negate{of: ^Expression}, Number(i64)}");
    assert_eq!(description::<Tree>(), "map<string, ^Tree>");
    assert_eq!(description::<Ping>(), "enum Ping{To(enum Pong{Back(^Ping, u8), End(u16)}), End}");
    assert!(!description::<(Pong, Ping)>().starts_with("opaque"));
}

#[test]
fn a_type_without_end_is_opaque() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Endless(Box<Endless>);
    assert!(description::<Endless>().starts_with("opaque:flott_core::schema::tests::"), "{}", description::<Endless>());
}

#[test]
fn types_that_accept_particular_values_only_are_given_them() {
    #[derive(Clone, Serialize, Deserialize)]
    #[serde(try_from = "String", into = "String")]
    struct Date(String);
    impl TryFrom<String> for Date {
        type Error = &'static str;
        fn try_from(text: String) -> Result<Self, Self::Error> {
            if text.len() == 10 && text.as_bytes()[4] == b'-' { Ok(Date(text)) } else { Err("no date") }
        }
    }
    impl From<Date> for String {
        fn from(date: Date) -> String {
            date.0
        }
    }
    assert_eq!(description::<(String, Date, u8)>(), "(string, string, u8)");
    assert_eq!(description::<NonZeroU32>(), "u32");
    assert_eq!(description::<IpAddr>(), "enum IpAddr{V4((u8, u8, u8, u8)), V6([u8; 16])}");
}

#[derive(Clone, Serialize)]
struct Picky(u8);

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            42 => Ok(Picky(42)),
            _ => Err(serde::de::Error::custom("only 42 will do")),
        }
    }
}

#[test]
fn a_type_that_refuses_every_value_is_opaque() {
    assert_eq!(description::<Picky>(), "opaque:flott_core::schema::tests::Picky");
    assert_eq!(description::<(u8, Picky)>(), "opaque:(u8, flott_core::schema::tests::Picky)");
}

#[test]
fn a_type_that_panics_is_opaque() {
    #[derive(Clone, Serialize)]
    struct Panics;
    impl<'de> Deserialize<'de> for Panics {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = u8::deserialize(deserializer)?;
            assert!(value > 100, "a value that this type does not expect");
            Ok(Panics)
        }
    }
    assert!(description::<Panics>().starts_with("opaque:"));
}

#[test]
fn aliases_hide_names_but_not_the_structure() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Renamed {
        #[serde(alias = "user")]
        name: String,
        count: u32,
    }
    #[derive(Clone, Serialize, Deserialize)]
    enum Either {
        #[serde(alias = "One")]
        Left(u8),
        Right,
    }
    assert_eq!(description::<Renamed>(), "Renamed{string, u32}");
    assert_eq!(description::<Either>(), "enum Either{_(u8), _}");
}

#[test]
fn a_mismatch_shows_both_and_names_the_field() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Item {
        price: i64,
        count: u32,
    }
    #[derive(Clone, Serialize, Deserialize)]
    struct Order {
        id: u64,
        items: Vec<Item>,
    }
    let current = Schema::of::<Order>();
    let stored = |description: &str| Schema { id: 1, description: description.to_owned() };
    let path = |description: &str| current.compatibility(&stored(description)).expect_err("they differ").first_difference;
    let same = Schema::of::<Order>();
    assert_eq!(current.compatibility(&same), Ok(()));
    assert_eq!(path("Order{id: u64, items: list<Item{price: f64, count: u32}>}").as_deref(), Some("Order.items.price"));
    assert_eq!(path("Order{id: u64, items: list<Item{price: i64, county: u32}>}").as_deref(), Some("Order.items.count"));
    assert_eq!(path("Order{id: u64}").as_deref(), Some("Order.items"));
    let longer = "Order{id: u64, items: list<Item{price: i64, count: u32, tax: f64}>}";
    assert_eq!(path(longer).as_deref(), Some("Order.items.tax"));
    assert_eq!(path("string"), None);
    let error = current.compatibility(&stored("Order{id: u32, items: list<string>}")).expect_err("they differ").to_string();
    assert!(error.contains("first at `Order.id`"), "{error}");
    assert!(error.contains("`Order{id: u32, items: list<string>}`") && error.contains(&current.description), "{error}");
}
