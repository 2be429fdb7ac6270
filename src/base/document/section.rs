//! Declaring tables, words, and tables that depend on a word.

use crate::base::diagnostic::{Diagnostics, SourceText, Span, nearest};
use crate::base::document::field::{At, Field, MAXIMUM_FAULTS, wrong_type};
use crate::base::document::shape::{KeyShape, Later, Shape, TableShape, Word, enumerate};
use crate::base::document::tree::{Data, Place, Table, Value};

/// Declares a table: a struct whose fields are [`At`], and its [`Field`]. A field is a key of the same name (or of the name after
/// `as`), required unless it has a default or its type can be absent ([`Option`]). Doc comments become the reference.
///
/// ```
/// flynn::section! {
///     /// A private cache.
///     pub struct Cache {
///         /// Lines in a set.
///         ways: flynn::base::document::Whole<1, 64>,
///         /// What a person calls it.
///         label as "name": Option<String>,
///         /// Whether it is there.
///         on: bool = true,
///     }
///     later { "sectors" => "sectored caches are" }
/// }
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $name:ident {
            $( $(#[doc = $key_doc:literal])+ $field:ident $(as $key:literal)? : $type:ty $(= $default:expr)? ),* $(,)?
        }
        $(later { $($later:literal => $what:literal),* $(,)? })?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $key_doc])+ pub $field: $crate::base::document::At<$type>, )*
        }

        impl $crate::base::document::Field for $name {
            fn read(
                value: &$crate::base::document::Value,
                path: &str,
                faults: &mut $crate::base::diagnostic::Diagnostics,
            ) -> Option<Self> {
                const KEYS: &[&str] = &[$($crate::section!(@key $field $($key)?)),*];
                const LATER: &[$crate::base::document::Later] =
                    &[$($($crate::base::document::Later { name: $later, what: $what }),*)?];
                #[allow(unused_mut, reason = "a table may have no key")]
                let mut table = $crate::base::document::TableReader::open(value, path, KEYS, faults)?;
                $( let $field = table.take::<$type>(
                    $crate::section!(@key $field $($key)?),
                    $crate::section!(@default $type $(, $default)?),
                ); )*
                table.finish(LATER, <Self as $crate::base::document::Field>::shape);
                Some($name { $($field: $field?),* })
            }

            fn write(&self) -> serde_json::Value {
                #[allow(unused_mut, reason = "a table may have no key")]
                let mut table = serde_json::Map::new();
                $(
                    let value = $crate::base::document::Field::write(&self.$field.value);
                    if !value.is_null() {
                        table.insert($crate::section!(@key $field $($key)?).to_string(), value);
                    }
                )*
                serde_json::Value::Object(table)
            }

            fn shape() -> $crate::base::document::Shape {
                $crate::base::document::Shape::Table($crate::base::document::TableShape {
                    doc: $crate::base::document::paragraph(&[$($doc),+]),
                    keys: vec![$($crate::base::document::KeyShape::of::<$type>(
                        $crate::section!(@key $field $($key)?),
                        $crate::base::document::paragraph(&[$($key_doc),+]),
                        $crate::section!(@default $type $(, $default)?),
                    )),*],
                    later: vec![$($($crate::base::document::Later { name: $later, what: $what }),*)?],
                })
            }

            fn absent(place: &$crate::base::document::Place) -> Option<Self> {
                $crate::base::document::read_empty(place)
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@default $type:ty) => { None::<$type> };
    (@default $type:ty, $default:expr) => { Some::<$type>($default) };
}

/// Declares the words that a key may hold, as an enum with [`Field`]. Words under `later` are planned: using one says so.
///
/// ```
/// flynn::choice! {
///     /// Which request goes first.
///     pub enum Arbitration {
///         /// Each agent in turn.
///         RoundRobin = "round-robin",
///         /// The lowest number first.
///         FixedPriority = "fixed-priority",
///     }
///     later { "lottery" => "lottery arbitration is" }
/// }
/// ```
#[macro_export]
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        $vis:vis enum $name:ident {
            $( $(#[doc = $word_doc:literal])+ $variant:ident = $word:literal ),+ $(,)?
        }
        $(later { $($later:literal => $what:literal),* $(,)? })?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name {
            $( $(#[doc = $word_doc])+ $variant, )+
        }

        impl $name {
            /// As a document writes it.
            pub fn word(self) -> &'static str {
                match self {
                    $( $name::$variant => $word, )+
                }
            }
        }

        impl $crate::base::document::Field for $name {
            fn read(
                value: &$crate::base::document::Value,
                path: &str,
                faults: &mut $crate::base::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let word = $crate::base::document::read_word(value, path, &<Self as $crate::base::document::Field>::shape(), faults)?;
                $( if word == $word { return Some($name::$variant); } )+
                None
            }

            fn write(&self) -> serde_json::Value {
                serde_json::Value::from(self.word())
            }

            fn shape() -> $crate::base::document::Shape {
                $crate::base::document::Shape::Words {
                    words: vec![$(
                        $crate::base::document::Word { name: $word, doc: $crate::base::document::paragraph(&[$($word_doc),+]) }
                    ),+],
                    later: vec![$($($crate::base::document::Later { name: $later, what: $what }),*)?],
                }
            }
        }
    };
}

/// Declares a table whose other keys depend on the word that its key `kind` holds, as an enum of [`section!`](crate::section)s with
/// [`Field`]. Where a section needs no key, its word alone may stand for the table: `memory = "ideal"`.
#[macro_export]
macro_rules! tagged {
    (
        $(#[doc = $doc:literal])+
        $vis:vis enum $name:ident {
            $( $(#[doc = $word_doc:literal])+ $variant:ident($section:ty) = $word:literal ),+ $(,)?
        }
        $(later { $($later:literal => $what:literal),* $(,)? })?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis enum $name {
            $( $(#[doc = $word_doc])+ $variant(Box<$section>), )+
        }

        impl $name {
            /// The word of its key `kind`.
            pub fn word(&self) -> &'static str {
                match self {
                    $( $name::$variant(_) => $word, )+
                }
            }
        }

        impl $crate::base::document::Field for $name {
            fn read(
                value: &$crate::base::document::Value,
                path: &str,
                faults: &mut $crate::base::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let shape = <Self as $crate::base::document::Field>::shape();
                let (word, rest) = $crate::base::document::read_tag(value, path, &shape, faults)?;
                $( if word == $word {
                    return <$section as $crate::base::document::Field>::read(&rest, path, faults).map(|section| $name::$variant(Box::new(section)));
                } )+
                None
            }

            fn write(&self) -> serde_json::Value {
                let rest = match self {
                    $( $name::$variant(section) => $crate::base::document::Field::write(&**section), )+
                };
                $crate::base::document::write_tag(self.word(), rest)
            }

            fn shape() -> $crate::base::document::Shape {
                $crate::base::document::Shape::Tagged {
                    tag: $crate::base::document::TAG,
                    doc: $crate::base::document::paragraph(&[$($doc),+]),
                    tables: [$((
                        $crate::base::document::Word { name: $word, doc: $crate::base::document::paragraph(&[$($word_doc),+]) },
                        <$section as $crate::base::document::Field>::shape(),
                    )),+]
                        .into_iter()
                        .filter_map(|(word, shape)| match shape {
                            $crate::base::document::Shape::Table(table) => Some((word, table)),
                            _ => None,
                        })
                        .collect(),
                    later: vec![$($($crate::base::document::Later { name: $later, what: $what }),*)?],
                }
            }
        }
    };
}

/// The key that holds the word of a [`tagged!`](crate::tagged) table.
pub const TAG: &str = "kind";

impl KeyShape {
    /// A key of type `T`.
    pub fn of<T: Field>(name: &'static str, doc: String, default: Option<T>) -> KeyShape {
        let nowhere = Place { source: SourceText::new("", ""), span: Span::default() };
        let absent = default.or_else(|| T::absent(&nowhere));
        let shape = T::shape();
        // A table that may be empty has no default of its own: its keys have.
        let default = match &shape {
            Shape::Table(_) => serde_json::Value::Null,
            _ => absent.as_ref().map_or(serde_json::Value::Null, T::write),
        };
        KeyShape { name, doc, shape, required: absent.is_none(), default }
    }
}

/// The path of a key of a table.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

/// Takes the keys of one table.
pub struct TableReader<'a> {
    table: &'a Table,
    place: &'a Place,
    path: &'a str,
    keys: &'a [&'a str],
    missing: Vec<(String, String)>,
    faults: &'a mut Diagnostics,
}

impl<'a> TableReader<'a> {
    /// The table that has these keys, or `None` after saying that the value is none.
    pub fn open(value: &'a Value, path: &'a str, keys: &'a [&'a str], faults: &'a mut Diagnostics) -> Option<TableReader<'a>> {
        match &value.data {
            Data::Table(table) => Some(TableReader { table, place: &value.place, path, keys, missing: Vec::new(), faults }),
            _ => {
                let shape = TableShape { doc: String::new(), keys: Vec::new(), later: Vec::new() };
                wrong_type(value, path, &Shape::Table(shape), faults);
                None
            }
        }
    }

    /// The value of a key, its default, or `None` after saying what is wrong.
    pub fn take<T: Field>(&mut self, key: &str, default: Option<T>) -> Option<At<T>> {
        let path = join(self.path, key);
        if let Some(entry) = self.table.get(key) {
            let value = T::read(&entry.value, &path, self.faults)?;
            return Some(At { value, place: entry.value.place.clone(), given: true });
        }
        match default.or_else(|| T::absent(self.place)) {
            Some(value) => Some(At { value, place: self.place.clone(), given: false }),
            None if self.misspelt(key) => None,
            None => {
                self.missing.push((key.to_string(), T::shape().expectation()));
                None
            }
        }
    }

    /// Says which keys must be there and are not.
    fn lacking(&mut self) {
        let owner = if self.path.is_empty() { "the file".to_string() } else { format!("`{}`", self.path) };
        let (message, help) = match &self.missing[..] {
            [] => return,
            [(key, expected)] => (format!("{owner} lacks the key `{key}`"), format!("write `{key} = ...`: {expected}")),
            [(key, expected), ..] => {
                let keys = enumerate(self.missing.iter().map(|(key, _)| key.as_str()), "`", "and");
                (format!("{owner} lacks the keys {keys}"), format!("write `{key} = ...`, {expected}, and so on"))
            }
        };
        self.faults.push(self.place.fault(message).key(join(self.path, &self.missing[0].0)).help(help));
    }

    /// Whether a key that nobody declared seems to mean this one: that will be told, and is enough.
    fn misspelt(&self, key: &str) -> bool {
        let undeclared = self.table.keys().map(String::as_str).filter(|name| !self.keys.contains(name));
        undeclared.filter_map(|name| nearest(name, self.keys.iter().copied())).any(|right| right == key)
    }

    /// Says which keys lack, and which are not declared; `shape` is the table's.
    pub fn finish(mut self, later: &[Later], shape: fn() -> Shape) {
        self.lacking();
        let keys = self.keys;
        for (key, entry) in self.table {
            if keys.contains(&key.as_str()) || self.faults.len() >= MAXIMUM_FAULTS {
                continue;
            }
            let path = join(self.path, key);
            if let Some(later) = later.iter().find(|later| later.name == key) {
                self.faults.push(entry.key.fault(format!("`{path}`: {} not built yet", later.what)).key(path));
                continue;
            }
            let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            let owners: Vec<String> = shape().owners(key).iter().map(|owner| join(self.path, owner)).collect();
            let help = match nearest(key, keys.iter().copied()) {
                _ if !owners.is_empty() => {
                    format!("it is a key of {}", enumerate(owners.iter().map(String::as_str), "`", "and of"))
                }
                Some(right) => format!("did you mean `{right}`?"),
                None if keys.is_empty() => "it takes no keys".to_string(),
                None => format!("the keys here are {}", enumerate(keys.iter().copied(), "`", "and")),
            };
            self.faults.push(entry.key.fault(format!("unknown key `{key}`{place}")).key(path).help(help));
        }
    }
}

/// A table without any key, where that is enough. For [`section!`](crate::section).
#[doc(hidden)]
pub fn read_empty<T: Field>(place: &Place) -> Option<T> {
    let mut faults = Vec::new();
    T::read(&Value { place: place.clone(), data: Data::Table(Table::default()) }, "", &mut faults)
}

/// One of a shape's words, or `None` after saying what is wrong. For [`choice!`](crate::choice).
#[doc(hidden)]
pub fn read_word<'a>(value: &'a Value, path: &str, shape: &Shape, faults: &mut Diagnostics) -> Option<&'a str> {
    let Some(word) = value.text() else {
        wrong_type(value, path, shape, faults);
        return None;
    };
    match shape {
        Shape::Words { words, later } => known_word(value, word, path, words.iter(), later, faults).then_some(word),
        _ => None,
    }
}

/// Whether it is one of the words; says what is right where it is not.
fn known_word<'a>(
    value: &Value,
    word: &str,
    path: &str,
    words: impl Iterator<Item = &'a Word> + Clone,
    later: &[Later],
    faults: &mut Diagnostics,
) -> bool {
    if words.clone().any(|known| known.name == word) {
        return true;
    }
    let names = words.map(|known| known.name);
    let fault = if let Some(later) = later.iter().find(|later| later.name == word) {
        let help = format!("what there is: {}", enumerate(names, "\"", "and"));
        value.place.fault(format!("`{path}` = \"{word}\": {} not built yet", later.what)).help(help)
    } else {
        let help = match nearest(word, names.clone()) {
            Some(right) => format!("did you mean \"{right}\"?"),
            None => format!("it can be {}", enumerate(names, "\"", "or")),
        };
        value.place.fault(format!("`{path}` cannot be \"{word}\"")).help(help)
    };
    faults.push(fault.key(path));
    false
}

/// The word of a tagged table and the table without it, or `None` after saying what is wrong. For [`tagged!`](crate::tagged).
#[doc(hidden)]
pub fn read_tag(value: &Value, path: &str, shape: &Shape, faults: &mut Diagnostics) -> Option<(String, Value)> {
    let Shape::Tagged { tables, later, .. } = shape else { return None };
    let words = tables.iter().map(|(word, _)| word);
    let mut rest = value.clone();
    match &mut rest.data {
        Data::Text(word) => {
            let word = std::mem::take(word);
            rest.data = Data::Table(Table::default());
            known_word(value, &word, path, words, later, faults).then_some((word, rest))
        }
        Data::Table(table) => {
            let path = join(path, TAG);
            let Some(entry) = table.shift_remove(TAG) else {
                let help = format!("write `{TAG} = ...`: {}", enumerate(words.map(|word| word.name), "\"", "or"));
                faults.push(value.place.fault(format!("`{path}` is missing")).key(path).help(help));
                return None;
            };
            let Some(word) = entry.value.text() else {
                let words = Shape::Words { words: words.cloned().collect(), later: Vec::new() };
                wrong_type(&entry.value, &path, &words, faults);
                return None;
            };
            known_word(&entry.value, word, &path, words, later, faults).then(|| (word.to_string(), rest))
        }
        _ => {
            wrong_type(value, path, shape, faults);
            None
        }
    }
}

/// A tagged table as JSON: the word first.
#[doc(hidden)]
pub fn write_tag(word: &str, rest: serde_json::Value) -> serde_json::Value {
    let mut table = serde_json::Map::new();
    table.insert(TAG.to_string(), serde_json::Value::from(word));
    if let serde_json::Value::Object(rest) = rest {
        table.extend(rest);
    }
    serde_json::Value::Object(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::document::{Whole, read};

    section! {
        /// A zoo.
        struct Zoo {
            /// What it is called.
            name: String,
            /// Who feeds.
            feeding: Feeding = Feeding::Morning,
            /// Who lives there.
            animals as "animal": Vec<At<Animal>>,
        }
        later { "aquarium" => "zoos with fish are" }
    }

    choice! {
        /// When.
        enum Feeding {
            /// At eight.
            Morning = "morning",
            /// At six.
            Evening = "evening",
        }
        later { "night" => "feeding in the dark is" }
    }

    tagged! {
        /// An animal.
        enum Animal {
            /// It flies.
            Bird(Bird) = "bird",
            /// It does not.
            Stone(Stone) = "stone",
        }
    }

    section! {
        /// A bird.
        struct Bird {
            /// How many.
            wings: Whole<0, 2> = Whole(2),
            /// For how long.
            age: Option<Whole<0, 200>>,
        }
    }

    section! {
        /// Nothing to say.
        struct Stone {}
    }

    fn faults(text: &str) -> String {
        let faults = read::<Zoo>(&SourceText::new("zoo.toml", text)).unwrap_err();
        faults.iter().map(|fault| format!("{} [{}] {fault}\n", fault.key.as_deref().unwrap_or("-"), fault.related.len())).collect()
    }

    #[test]
    fn a_right_document_reads_and_reads_back() {
        let text = "name = 'z'\nanimal = ['stone', { kind = 'bird', age = 3 }]\n";
        let zoo: Zoo = read(&SourceText::new("zoo.toml", text)).unwrap();
        assert_eq!(zoo.feeding.value, Feeding::Morning);
        assert!(!zoo.feeding.given && zoo.name.given);
        let Animal::Bird(bird) = &zoo.animals[1].value else { panic!() };
        assert_eq!(bird.age.value, Some(Whole(3)));
        let written = zoo.write();
        assert_eq!(
            written.to_string(),
            r#"{"name":"z","feeding":"morning","animal":[{"kind":"stone"},{"kind":"bird","wings":2,"age":3}]}"#
        );
        let again: Zoo = read(&SourceText::new("again", toml::to_string(&written).unwrap())).unwrap();
        assert_eq!(again, zoo);
    }

    #[test]
    fn everything_wrong_is_told_at_once_with_the_nearest_right_name() {
        let texts = [
            "nmae = 3\nfeeding = 'evning'\naquarium = 1\n[[animal]]\nkind = 'bird'\nwings = 3\nage = 'old'\n[[animal]]\n\
             kind = 'brid'\n[[animal]]\nkind = 'stone'\nlegs = 1\n[[animal]]\n",
            "name = 1\nfeeding = 'night'\nanimal = 3",
            "name = 'z'\nfeeding = 2\nanimal = [2, 'stoned']\nsomething = 2024-01-01",
        ];
        insta::assert_snapshot!(texts.map(faults).join("---\n"));
    }

    #[test]
    fn faults_are_limited() {
        let text = format!("name = 'z'\nanimal = [{}]", "1,".repeat(10_000));
        assert!(read::<Zoo>(&SourceText::new("zoo.toml", text)).unwrap_err().len() <= MAXIMUM_FAULTS);
    }

    #[test]
    fn the_schema_comes_from_the_same_declaration() {
        let schema = Zoo::shape().json_schema();
        assert_eq!(schema["required"], serde_json::json!(["name", "animal"]));
        assert_eq!(schema["properties"]["feeding"]["default"], "morning");
        assert_eq!(schema["properties"]["animal"]["items"]["oneOf"][0]["properties"]["wings"]["maximum"], 2);
    }
}
