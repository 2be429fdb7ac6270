//! Places: elements of objects in memory, and parts of arrays.

use super::convert::Typed;
use super::scope::Meaning;
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::syntax::{self, Index, Name};
use crate::program::tree::{Expression, ExpressionKind, ObjectId, ObjectKind, Place, Slice, SliceDimension, Type, Value};

use super::convert::constant_expression;

/// What a name should mean.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Place,
    Array,
    Scalar,
    /// The word that declares it.
    Synchroniser(&'static str),
}

impl Checker<'_> {
    /// What an object holds, as a sentence names it.
    pub(super) fn object_noun(&self, object: ObjectId) -> &'static str {
        match self.objects[object.0 as usize].kind {
            ObjectKind::Array { .. } => "an array",
            ObjectKind::Shared { .. } => "a shared scalar",
            ObjectKind::Mutex => "a mutex",
            ObjectKind::Semaphore { .. } => "a semaphore",
        }
    }

    /// The example of an element of an array: `a[i, j]`.
    pub(super) fn element_example(&self, object: ObjectId) -> String {
        let object = &self.objects[object.0 as usize];
        format!("{}[{}]", object.name, ["i", "j", "k"][..object.extents.len().min(3)].join(", "))
    }

    /// An object without its index, or one that has no value.
    pub(super) fn not_a_value<T>(&mut self, name: &str, object: ObjectId, span: Span) -> Checked<T> {
        let message = format!("`{name}` is {}, not a value", self.object_noun(object));
        let help = match self.objects[object.0 as usize].kind {
            ObjectKind::Mutex => format!("it is held by `lock {name} {{ ... }}`"),
            ObjectKind::Semaphore { .. } => format!("it is used by `acquire {name}` and `release {name}`"),
            _ => format!("an element is written `{}`; all of it `{name}[..]` in an array statement", self.element_example(object)),
        };
        self.fault(span, message, help)
    }

    /// The object that a name means; `wanted` is what should have been declared.
    pub(super) fn object(&mut self, name: &str, span: Span, wanted: Wanted) -> Checked<ObjectId> {
        let help = match wanted {
            Wanted::Place => format!("declare `shared {name}: f64 = 0.0` or `array {name}: f64[n]` at the top"),
            Wanted::Array => format!("declare `array {name}: f64[n]` at the top"),
            Wanted::Scalar => format!("declare `shared {name}: f64 = 0.0` at the top"),
            Wanted::Synchroniser(noun) => format!("declare `{noun} m` at the top"),
        };
        match self.look_up(name, span)? {
            Meaning::Object(object) => Ok(object),
            Meaning::Local(_) | Meaning::Constant { is_let: true, .. } => {
                self.fault(span, format!("`{name}` lives in a register, not in memory"), help)
            }
            Meaning::Constant { .. } => self.fault(span, format!("`{name}` is a parameter, not a place in memory"), help),
            Meaning::Function(..) => {
                self.fault(span, format!("`{name}` is a function"), format!("call it with its arguments: `{name}(...)`"))
            }
            Meaning::Broken(_) => Err(Reported),
        }
    }

    /// An element or a shared scalar, and its type; `user` says who needs it.
    pub(super) fn memory_place(&mut self, syntax: &syntax::Expression, user: &str) -> Checked<(Place, Type)> {
        match &syntax.kind {
            syntax::ExpressionKind::Name(name) => {
                let object = self.object(name, syntax.span, Wanted::Place)?;
                match self.objects[object.0 as usize].kind {
                    ObjectKind::Shared { element, .. } => Ok((Place { object, indices: Vec::new(), span: syntax.span }, element)),
                    _ => self.not_a_value(name, object, syntax.span),
                }
            }
            syntax::ExpressionKind::Index { base, indices } => {
                let object = self.object(&base.text, base.span, Wanted::Array)?;
                let element = self.element_type(base, object)?;
                let indices = self.indices(base, object, indices, syntax.span)?;
                Ok((Place { object, indices, span: syntax.span }, element))
            }
            _ => self.fault(
                syntax.span,
                format!("{user} a place in memory, and this is a value"),
                "a place is a `shared` scalar or an element of an array: `total`, `a[i]`",
            ),
        }
    }

    fn element_type(&mut self, base: &Name, object: ObjectId) -> Checked<Type> {
        match self.objects[object.0 as usize].kind {
            ObjectKind::Array { element, .. } => Ok(element),
            ObjectKind::Shared { .. } => {
                let message = format!("`{}` is a scalar and has no elements", base.text);
                self.fault(base.span, message, format!("write `{}` alone", base.text))
            }
            _ => self.not_a_value(&base.text, object, base.span),
        }
    }

    /// One index a dimension.
    fn indices(&mut self, base: &Name, object: ObjectId, indices: &[Index], span: Span) -> Checked<Vec<Expression>> {
        self.right_dimensions(base, object, indices, span)?;
        let mut checked = Vec::new();
        for index in indices {
            match index {
                Index::At(index) => checked.push(self.integer(index, "an index")?),
                Index::Range { span, .. } => return self.slice_is_no_value(*span),
            }
        }
        Ok(checked)
    }

    fn slice_is_no_value<T>(&mut self, span: Span) -> Checked<T> {
        let help = "parts of arrays stand in `sum(a[..])` and in array statements: `a[..] = b[..] + 1`";
        self.fault(span, "a part of an array is not a single value", help)
    }

    pub(super) fn right_dimensions(&mut self, base: &Name, object: ObjectId, indices: &[Index], span: Span) -> Checked<()> {
        let extents = self.objects[object.0 as usize].extents.len();
        if indices.len() == extents {
            return Ok(());
        }
        let plural = |n: usize, noun: &str| if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") };
        let index = if indices.len() == 1 { "1 index".to_string() } else { format!("{} indices", indices.len()) };
        let message = format!("`{}` has {}, and this gives {index}", base.text, plural(extents, "dimension"));
        let declared = self.objects[object.0 as usize].span;
        let example = match indices.iter().all(|index| matches!(index, Index::Range { .. })) {
            true => format!("{}[{}]", base.text, ["..", "..", ".."][..extents.min(3)].join(", ")),
            false => self.element_example(object),
        };
        let diagnostic = Diagnostic::at(self.source, span, message).help(format!("write `{example}`"));
        Err(self.report(diagnostic.related(declared, "declared here")))
    }

    /// `a[i]` as a value; in an array statement `a[lo..hi]` is the element that belongs to the iteration.
    pub(super) fn element(&mut self, base: &Name, indices: &[Index], span: Span) -> Checked<Typed> {
        let object = self.object(&base.text, base.span, Wanted::Array)?;
        let element = self.element_type(base, object)?;
        let is_slice = indices.iter().any(|index| matches!(index, Index::Range { .. }));
        let indices = match is_slice && self.array_statement.is_some() {
            true => {
                let slice = self.slice_of(base, object, indices, span)?;
                self.sliced_indices(slice)?
            }
            false => self.indices(base, object, indices, span)?,
        };
        let place = Place { object, indices, span };
        Ok(Typed::firm(Expression { kind: ExpressionKind::Load(place), r#type: element, span }))
    }

    /// An array or a part of one; without brackets, all of it.
    pub(super) fn slice(&mut self, syntax: &syntax::Expression, user: &str) -> Checked<(Slice, Type)> {
        match &syntax.kind {
            syntax::ExpressionKind::Name(name) => {
                let object = self.object(name, syntax.span, Wanted::Array)?;
                let ObjectKind::Array { element, .. } = self.objects[object.0 as usize].kind else {
                    let message = format!("{user} an array, and `{name}` is {}", self.object_noun(object));
                    return self.fault(syntax.span, message, "arrays are declared at the top: `array a: f64[n]`");
                };
                let extents = self.objects[object.0 as usize].extents.clone();
                let dimensions = extents.iter().map(|&extent| self.whole(extent, syntax.span)).collect();
                Ok((Slice { object, dimensions, span: syntax.span }, element))
            }
            syntax::ExpressionKind::Index { base, indices } => {
                let object = self.object(&base.text, base.span, Wanted::Array)?;
                let element = self.element_type(base, object)?;
                Ok((self.slice_of(base, object, indices, syntax.span)?, element))
            }
            _ => {
                let message = format!("{user} an array or a part of one");
                self.fault(syntax.span, message, "write `a`, `a[..]` or `a[lo..hi]`")
            }
        }
    }

    fn whole(&self, extent: u64, span: Span) -> SliceDimension {
        let bound = |value| constant_expression(Value::I64(value), span);
        SliceDimension::Range { low: bound(0), high: bound(extent as i64) }
    }

    pub(super) fn slice_of(&mut self, base: &Name, object: ObjectId, indices: &[Index], span: Span) -> Checked<Slice> {
        self.right_dimensions(base, object, indices, span)?;
        let extents = self.objects[object.0 as usize].extents.clone();
        let mut dimensions = Vec::new();
        for (index, extent) in indices.iter().zip(extents) {
            dimensions.push(match index {
                Index::At(index) => SliceDimension::Index(self.integer(index, "an index")?),
                Index::Range { low, high, span } => {
                    let bound = |value| constant_expression(Value::I64(value), *span);
                    let low = match low {
                        Some(low) => self.integer(low, "a bound")?,
                        None => bound(0),
                    };
                    let high = match high {
                        Some(high) => self.integer(high, "a bound")?,
                        None => bound(extent as i64),
                    };
                    SliceDimension::Range { low, high }
                }
            });
        }
        Ok(Slice { object, dimensions, span })
    }
}
