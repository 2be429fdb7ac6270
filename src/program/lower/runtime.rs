//! Run-time texts: checked with their names bound, laid out in memory, put in place where the program calls for them.

use std::rc::Rc;

use super::layout::{Field, Home, Section};
use super::{Failure, Lowering, Operand, Text, Unit};
use crate::base::diagnostic::{Diagnostic, Span, nearest};
use crate::program::check::{RuntimeBindings, check_runtime};
use crate::program::tree::{Expression, ExpressionKind, Initial, Object, ObjectKind, Program, RuntimeModule, Type};

/// A run-time text with memory of its own.
#[derive(Debug)]
pub(super) struct Module {
    /// `lock-ticket`.
    pub name: String,
    text: Rc<Text>,
    homes: Rc<Vec<Home>>,
}

impl Module {
    /// The same text on arrays that the caller lends it.
    pub fn lend(&self, borrowed: Vec<Home>) -> Module {
        let own = self.homes.iter().skip(borrowed.len()).cloned();
        let homes = Rc::new(borrowed.iter().cloned().chain(own).collect());
        Module { name: self.name.clone(), text: self.text.clone(), homes }
    }

    /// Whether the text has a function of this name.
    pub fn has(&self, function: &str) -> bool {
        self.text.functions.iter().any(|known| known.name == function)
    }
}

/// The most locks or semaphores in one array.
const INSTANCE_LIMIT: u64 = 1 << 20;

/// How many instances of a run-time text there are, and how they lie.
struct Instances<'a> {
    /// What the fields' names begin with.
    prefix: &'a str,
    extents: &'a [u64],
    /// Whether each field has a line of its own.
    apart: bool,
    /// Whether each instance has.
    padded: bool,
}

impl Lowering<'_> {
    /// Gives every object of the program its place.
    pub(super) fn objects(&mut self, program: &Program) -> Result<(), Failure> {
        let mut homes = Vec::with_capacity(program.objects.len());
        for object in &program.objects {
            self.check_arrays(1, object.span)?;
            let mut constants = Vec::new();
            let text = match &object.kind {
                ObjectKind::Array { element, .. } => {
                    homes.push(self.program_home(Section::Arrays, object, *element));
                    continue;
                }
                ObjectKind::Shared { element, .. } => {
                    homes.push(self.program_home(Section::Scalars, object, *element));
                    continue;
                }
                ObjectKind::Mutex => format!("lock-{}", self.plan.lock),
                ObjectKind::Semaphore { initial } => {
                    constants.push(("initial".into(), *initial));
                    "semaphore".into()
                }
            };
            self.check_instances(object)?;
            let instances = Instances { prefix: &object.name, extents: &object.extents, apart: false, padded: object.padded };
            let bindings = RuntimeBindings { constants, ..RuntimeBindings::default() };
            let module = self.instantiate(&text, &instances, bindings, object.span)?;
            homes.push(Home::Instances { module: Rc::new(module), extents: object.extents.clone() });
        }
        self.homes = Rc::new(homes);
        self.unit.homes = self.homes.clone();
        Ok(())
    }

    fn program_home(&mut self, section: Section, object: &Object, element: Type) -> Home {
        let array = self.layout.add_object(section, &object.name, element, &object.extents, object.padded);
        // A scalar's place has no indices.
        let extents = if section == Section::Scalars { Vec::new() } else { object.extents.clone() };
        Home::Elements { array, element, extents, scale: 1 }
    }

    /// Locks are put back one by one before each part of a run.
    fn check_instances(&self, object: &Object) -> Result<(), Failure> {
        let count = object.extents.iter().fold(1_u64, |product, &extent| product.saturating_mul(extent));
        if count > INSTANCE_LIMIT {
            let message = format!("`{}` has {count} elements; an array of locks has at most {INSTANCE_LIMIT}", object.name);
            return self.fail(object.span, message, None);
        }
        Ok(())
    }

    /// Fails where Code has no numbers for so many more arrays.
    pub(super) fn check_arrays(&self, more: usize, span: Span) -> Result<(), Failure> {
        if self.layout.has_room_for(more) {
            return Ok(());
        }
        let message = "the program has more arrays, locks and variables that teams read than there are numbers for (65535)";
        self.fail(span, message, None)
    }

    /// The one instance of a run-time text that all threads share, made when it is first asked for. `key` tells apart instances of
    /// one text.
    pub(super) fn shared_module(
        &mut self,
        text: &str,
        key: &str,
        bindings: RuntimeBindings,
        span: Span,
    ) -> Result<Rc<Module>, Failure> {
        if let Some(module) = self.modules.get(key) {
            return Ok(module.clone());
        }
        let instances = Instances { prefix: key, extents: &[1], apart: true, padded: true };
        let module = Rc::new(self.instantiate(text, &instances, bindings, span)?);
        self.modules.insert(key.to_string(), module.clone());
        Ok(module)
    }

    fn instantiate(
        &mut self,
        name: &str,
        instances: &Instances<'_>,
        mut bindings: RuntimeBindings,
        span: Span,
    ) -> Result<Module, Failure> {
        let Some(source) = self.runtime_texts.get(name) else { return self.no_such_text(name, span) };
        bindings.constants.push(("threads".into(), i64::from(self.plan.threads)));
        bindings.constants.push(("ranks".into(), i64::from(self.runners.ranks)));
        let n_borrowed = bindings.borrowed.len();
        let checked = check_runtime(source, &bindings)?;
        let number = self.texts.iter().position(|text| text.name == source.name).unwrap_or(self.texts.len());
        if number == self.texts.len() {
            self.texts.push(source.clone());
        }
        let text = Rc::new(Text::new(number as u16, source, &checked.functions, &checked.locals, &[]));
        self.check_arrays(checked.objects.len(), span)?;
        let fields = self.fields(&checked, n_borrowed, instances)?;
        let own = checked.objects.iter().skip(n_borrowed);
        let homes = self.layout.add_records(&fields, instances.extents, instances.apart, instances.padded);
        let scalars = own.map(|object| matches!(object.kind, ObjectKind::Shared { .. }));
        let homes = homes.into_iter().zip(scalars).map(|(home, scalar)| match home {
            Home::Elements { array, element, scale, .. } if scalar => Home::Elements { array, element, extents: Vec::new(), scale },
            home => home,
        });
        let lent = (0..n_borrowed).map(|_| Home::Borrowed { array: 0, element: Type::I64, start: Operand::ONLY, length: 0 });
        Ok(Module { name: name.to_string(), text, homes: Rc::new(lent.chain(homes).collect()) })
    }

    fn fields(&mut self, checked: &RuntimeModule, n_borrowed: usize, instances: &Instances<'_>) -> Result<Vec<Field>, Failure> {
        let mut fields = Vec::with_capacity(checked.objects.len());
        for object in checked.objects.iter().skip(n_borrowed) {
            let fault = |message: &str| Err(vec![Diagnostic::at(&checked.source, object.span, message)]);
            let (element, initial) = match &object.kind {
                ObjectKind::Array { element, initial } | ObjectKind::Shared { element, initial } => (*element, initial),
                ObjectKind::Mutex | ObjectKind::Semaphore { .. } => {
                    return fault("a run-time text is built from arrays and shared scalars alone");
                }
            };
            let initial = match initial {
                Initial::Zero => 0,
                Initial::Elements { variables, value } if variables.is_empty() || is_constant(value) => {
                    match self.expression(value, None)? {
                        Operand::Constant(bits) => bits,
                        Operand::Register(_) => return fault("initial values of a run-time text are constants"),
                    }
                }
                _ => return fault("initial values of a run-time text are constants"),
            };
            let name = format!("{}.{}", instances.prefix, object.name);
            fields.push(Field { name, element, extents: object.extents.clone(), padded: object.padded, initial });
        }
        Ok(fields)
    }

    fn no_such_text<T>(&self, name: &str, span: Span) -> Result<T, Failure> {
        // `collective-broadcast-ring` is one of the family `collective-broadcast`, `lock-ticket` of `lock`.
        let cut = if name.starts_with("collective-") { name.match_indices('-').nth(1) } else { name.match_indices('-').next() };
        let (family, kind) = cut.map_or((name, ""), |(at, _)| (&name[..at], &name[at + 1..]));
        let kinds: Vec<&str> =
            self.runtime_texts.keys().filter_map(|known| known.strip_prefix(family)?.strip_prefix('-')).collect();
        let help = match nearest(kind, kinds.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if kinds.is_empty() => format!("a text named {name}.flynn would be it"),
            None => format!("there are {}", kinds.join(", ")),
        };
        self.fail(span, format!("there is no run-time text `{name}`"), Some(help))
    }

    /// Puts a function of a run-time text in place, on the instance `record`.
    pub(super) fn run(
        &mut self,
        module: &Rc<Module>,
        record: Operand,
        function: &str,
        arguments: &[Operand],
    ) -> Result<Option<Operand>, Failure> {
        let Some(function) = module.text.functions.iter().find(|known| known.name == function) else {
            let message = format!("`{}` has no function `{function}`", module.name);
            return Err(vec![Diagnostic::at(&module.text.source, None, message)]);
        };
        if function.parameters.len() != arguments.len() {
            let message = format!("`{}` takes {} arguments here", function.name, arguments.len());
            return Err(vec![Diagnostic::at(&module.text.source, function.span, message)]);
        }
        let site = self.site;
        let unit = Unit::new(&module.text, &module.homes, record, Some(self.sites[site as usize]));
        let outer = std::mem::replace(&mut self.unit, unit);
        let value = self.inline(function, arguments, None);
        self.unit = outer;
        self.site = site;
        value
    }

    /// The same, of a function that has a value.
    pub(super) fn run_for_value(&mut self, module: &Rc<Module>, function: &str, arguments: &[Operand]) -> Result<Operand, Failure> {
        match self.run(module, Operand::ONLY, function, arguments)? {
            Some(value) => Ok(value),
            None => {
                let message = format!("`{function}` gives no value here");
                Err(vec![Diagnostic::at(&module.text.source, None, message)])
            }
        }
    }
}

fn is_constant(expression: &Expression) -> bool {
    matches!(expression.kind, ExpressionKind::Constant(_))
}
