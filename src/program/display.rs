//! Code as a person reads it: `flynn check --code`.
//!
//! ```text
//! main (parallel), entered at b4
//!   b7:                                          ; line 21: a[i] = b[i] + s * c[i]
//!     f0 = load b[i3]                            load
//!     f1 = load c[i3]                            load
//!     f1 = f2 * f1                               float multiply
//! ```

use std::fmt::{self, Display, Formatter, Write as _};

use super::code::{
    ArrayId, BlockId, Code, Function, Instruction, Message, MessageOperation, OperationClass, Phase, RANK, Register, Site,
    Synchronisation, SynchronisationKind, THREAD, ZERO,
};
use super::tree::{BinaryOperator, Comparison, Direction, Order, Type, UnaryOperator, UpdateOperation, Value};

/// Column at which classes stand.
const CLASS_COLUMN: usize = 56;

impl Display for Code {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ranks = if self.ranks > 1 { format!("{} ranks of ", self.ranks) } else { String::new() };
        writeln!(
            f,
            "{} instructions, {} registers, {ranks}{} threads",
            self.instructions.len(),
            self.registers.len(),
            self.threads
        )?;
        let mut arrays: Vec<_> = self.arrays.iter().collect();
        arrays.sort_by_key(|array| array.base);
        for array in arrays {
            let extents: Vec<String> = array.extents.iter().map(u64::to_string).collect();
            let stride = if array.length == 1 || array.stride == array.element.size() {
                String::new()
            } else {
                format!(", every {} B", array.stride)
            };
            writeln!(f, "  {:#08x} {}: {}[{}]{stride}", array.base, array.name, array.element.name(), extents.join(", "))?;
        }
        for function in &self.functions {
            self.write_function(f, function)?;
        }
        Ok(())
    }
}

impl Display for OperationClass {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            OperationClass::Integer => "integer",
            OperationClass::IntegerMultiply => "integer multiply",
            OperationClass::IntegerDivide => "integer divide",
            OperationClass::FloatAdd => "float add",
            OperationClass::FloatMultiply => "float multiply",
            OperationClass::FloatDivide => "float divide",
            OperationClass::SquareRoot => "square root",
            OperationClass::Special => "special",
            OperationClass::Load => "load",
            OperationClass::Store => "store",
            OperationClass::Atomic => "atomic",
            OperationClass::Branch => "branch",
        })
    }
}

impl Code {
    fn write_function(&self, f: &mut Formatter<'_>, function: &Function) -> fmt::Result {
        let phase = match function.phase {
            Phase::Initialise => "initialise",
            Phase::Setup => "setup",
            Phase::Main => "main",
            Phase::Finish => "finish",
            Phase::Results => "results",
        };
        let who = match (function.parallel, self.ranks > 1, function.phase) {
            (_, true, Phase::Results) => "rank 0",
            (true, ..) => "all threads",
            (false, true, _) => "thread 0 of each rank",
            (false, false, _) => "thread 0",
        };
        writeln!(f, "\n{phase}: {who} from b{}", function.entry)?;
        for block in function.blocks.clone() {
            writeln!(f, "  b{block}:")?;
            self.write_block(f, block)?;
        }
        Ok(())
    }

    fn write_block(&self, f: &mut Formatter<'_>, block: BlockId) -> fmt::Result {
        let first = self.blocks[block as usize].first as usize;
        let mut last_site = None;
        for (index, instruction) in self.block(block).iter().enumerate() {
            let site = &self.sites[self.instruction_sites[first + index] as usize];
            let place = (site.line, site.text, site.text_line);
            if last_site != Some(place) {
                writeln!(f, "    # {}", self.source_line(site))?;
                last_site = Some(place);
            }
            let mut line = String::from("    ");
            self.write_instruction(&mut line, instruction)?;
            match self.class(instruction) {
                Some(class) => writeln!(f, "{line:CLASS_COLUMN$} {class}")?,
                None => writeln!(f, "{line}")?,
            }
        }
        Ok(())
    }

    /// `21: a[i] = b[i]`; for a run-time text also its own place.
    fn source_line(&self, site: &Site) -> String {
        let text = &self.texts[usize::from(site.text)];
        let line = text.text.lines().nth(site.text_line.saturating_sub(1) as usize).unwrap_or("").trim();
        match site.text {
            0 => format!("{}: {line}", site.line),
            _ => format!("{}: {}:{}: {line}", site.line, text.name, site.text_line),
        }
    }

    /// `i3`, `f0`; the letter tells the type.
    fn name(&self, register: Register) -> String {
        match register {
            ZERO => return "0".into(),
            THREAD => return "thread".into(),
            RANK => return "rank".into(),
            _ => {}
        }
        let letter = match self.registers[usize::from(register)] {
            Type::I64 => "i",
            Type::I32 => "w",
            Type::F64 => "f",
            Type::F32 => "s",
            Type::Bool => "p",
        };
        format!("{letter}{register}")
    }

    fn element(&self, array: ArrayId, index: Register, constant: i32) -> String {
        let array = &self.arrays[usize::from(array)];
        match (index, constant) {
            (ZERO, 0) if array.length == 1 => array.name.clone(),
            (ZERO, _) => format!("{}[{constant}]", array.name),
            (_, 0) => format!("{}[{}]", array.name, self.name(index)),
            _ => format!("{}[{}]", array.name, self.sum(index, constant)),
        }
    }

    fn sum(&self, register: Register, constant: i32) -> String {
        match constant {
            0 => self.name(register),
            1.. => format!("{} + {constant}", self.name(register)),
            _ => format!("{} - {}", self.name(register), constant.unsigned_abs()),
        }
    }

    fn constant(&self, r#type: Type, number: u32) -> String {
        match Value::from_bits(r#type, self.constants[number as usize]) {
            Value::Bool(value) => value.to_string(),
            Value::I64(value) => value.to_string(),
            Value::I32(value) => value.to_string(),
            Value::F64(value) => format!("{value:?}"),
            Value::F32(value) => format!("{value:?}"),
        }
    }

    fn write_instruction(&self, line: &mut String, instruction: &Instruction) -> fmt::Result {
        let name = |register| self.name(register);
        match *instruction {
            Instruction::Constant { to, value } => {
                write!(line, "{} = {}", name(to), self.constant(self.registers[usize::from(to)], value))
            }
            Instruction::Copy { to, from } => write!(line, "{} = {}", name(to), name(from)),
            Instruction::Unary { operator, to, a } => write!(line, "{} = {}{}", name(to), unary(operator), name(a)),
            Instruction::Binary { operator, to, a, b } => {
                write!(line, "{} = {} {} {}", name(to), name(a), binary(operator), name(b))
            }
            Instruction::BinaryConstant { operator, to, a, constant } => {
                write!(line, "{} = {} {} {constant}", name(to), name(a), binary(operator))
            }
            Instruction::DivideNonNegative { remainder, to, a, b } => {
                write!(line, "{} = {} {} {}  (neither is negative)", name(to), name(a), if remainder { "%" } else { "/" }, name(b))
            }
            Instruction::ShiftRightLogical { to, a, count } => write!(line, "{} = {} >>> {count}", name(to), name(a)),
            Instruction::Compare { comparison, to, a, b } => {
                write!(line, "{} = {} {} {}", name(to), name(a), symbol(comparison), name(b))
            }
            Instruction::Select { to, condition, a, b } => {
                write!(line, "{} = {} ? {} : {}", name(to), name(condition), name(a), name(b))
            }
            Instruction::FusedMultiplyAdd { to, a, b, c } => {
                write!(line, "{} = fma({}, {}, {})", name(to), name(a), name(b), name(c))
            }
            Instruction::Convert { to, from } => {
                write!(line, "{} = {}({})", name(to), self.registers[usize::from(to)].name(), name(from))
            }
            Instruction::Load { to, array, index, constant } => {
                write!(line, "{} = load {}", name(to), self.element(array, index, constant))
            }
            Instruction::Store { from, array, index, constant } => {
                write!(line, "store {} = {}", self.element(array, index, constant), name(from))
            }
            Instruction::Check { index, constant, length } => {
                write!(line, "check 0 <= {} < {}", self.sum(index, constant), self.constants[length as usize])
            }
            Instruction::CheckDivisor { divisor } => write!(line, "check {} != 0", name(divisor)),
            _ => self.write_terminator(line, instruction),
        }
    }

    fn write_terminator(&self, line: &mut String, instruction: &Instruction) -> fmt::Result {
        match *instruction {
            Instruction::Jump { to } => write!(line, "to b{to}"),
            Instruction::Branch { comparison, a, b, then, otherwise } => {
                let (a, b) = (self.name(a), self.name(b));
                write!(line, "if {a} {} {b} to b{then} else b{otherwise}", symbol(comparison))
            }
            Instruction::BranchConstant { comparison, a, constant, then, otherwise } => {
                write!(line, "if {} {} {constant} to b{then} else b{otherwise}", self.name(a), symbol(comparison))
            }
            Instruction::Synchronise { operation, next } => {
                self.write_synchronisation(line, &self.synchronisations[operation as usize])?;
                write!(line, ", to b{next}")
            }
            Instruction::Message { message, next } => {
                self.write_message(line, &self.messages[message as usize])?;
                write!(line, ", to b{next}")
            }
            Instruction::Busy { count, next } => write!(line, "busy {}, to b{next}", self.name(count)),
            _ => write!(line, "finish"),
        }
    }

    fn write_message(&self, line: &mut String, message: &Message) -> fmt::Result {
        match message.operation {
            MessageOperation::Start { direction, array, index, constant, length, peer, tag, to } => {
                if to != ZERO {
                    write!(line, "{} = ", self.name(to))?;
                }
                let (word, preposition) = match direction {
                    Direction::Send => ("send", "to"),
                    Direction::Receive => ("recv", "from"),
                };
                let [length, peer, tag] = [length, peer, tag].map(|register| self.name(register));
                let first = self.element(array, index, constant);
                write!(line, "start {word} {length} from {first} on {preposition} rank {peer} tag {tag}")
            }
            MessageOperation::Wait { handle: Some(handle) } => write!(line, "wait {}", self.name(handle)),
            MessageOperation::Wait { handle: None } => write!(line, "wait all"),
        }
    }

    fn write_synchronisation(&self, line: &mut String, operation: &Synchronisation) -> fmt::Result {
        let order = match operation.order {
            Order::Relaxed => "relaxed",
            Order::Acquire => "acquire",
            Order::Release => "release",
            Order::SequentiallyConsistent => "seq_cst",
        };
        if operation.kind == SynchronisationKind::Fence {
            return write!(line, "fence {order}");
        }
        if operation.to != ZERO {
            write!(line, "{} = ", self.name(operation.to))?;
        }
        let place = self.element(operation.array, operation.index, operation.constant);
        let operand = self.name(operation.operand);
        match operation.kind {
            SynchronisationKind::Load => write!(line, "atomic load {place}")?,
            SynchronisationKind::Store => write!(line, "atomic store {place} = {operand}")?,
            SynchronisationKind::ReadModifyWrite(update) => write!(line, "{}({place}, {operand})", update_name(update))?,
            SynchronisationKind::CompareExchange => {
                write!(line, "compare_exchange({place}, {}, {operand})", self.name(operation.expected))?;
            }
            SynchronisationKind::Await(comparison) => write!(line, "await {place} {} {operand}", symbol(comparison))?,
            SynchronisationKind::Fence => {}
        }
        write!(line, " {order}")
    }
}

fn unary(operator: UnaryOperator) -> &'static str {
    match operator {
        UnaryOperator::Negate => "-",
        UnaryOperator::Not => "!",
        UnaryOperator::Absolute => "abs ",
        UnaryOperator::SquareRoot => "sqrt ",
        UnaryOperator::Sine => "sin ",
        UnaryOperator::Cosine => "cos ",
        UnaryOperator::Exponential => "exp ",
        UnaryOperator::Logarithm => "log ",
    }
}

fn binary(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Add => "+",
        BinaryOperator::Subtract => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Remainder => "%",
        BinaryOperator::Minimum => "min",
        BinaryOperator::Maximum => "max",
        BinaryOperator::And => "&",
        BinaryOperator::Or => "|",
        BinaryOperator::Xor => "^",
        BinaryOperator::ShiftLeft => "<<",
        BinaryOperator::ShiftRight => ">>",
    }
}

fn symbol(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterEqual => ">=",
    }
}

fn update_name(operation: UpdateOperation) -> &'static str {
    match operation {
        UpdateOperation::Exchange => "exchange",
        UpdateOperation::Add => "fetch_add",
        UpdateOperation::Minimum => "fetch_min",
        UpdateOperation::Maximum => "fetch_max",
        UpdateOperation::And => "fetch_and",
        UpdateOperation::Or => "fetch_or",
        UpdateOperation::Xor => "fetch_xor",
    }
}
